// The way from an entry to the root, drawn: what the browser computed, and what it was given.
import { h, s } from "./dom.js";
import { toHex } from "./merkle.js";

const [WIDTH, STEP, BOX, HIGH] = [340, 58, 128, 30];
const SIDES = [20 + BOX / 2, WIDTH - 20 - BOX / 2];

export function pathPicture({ steps, top }, leaf, size) {
  const height = steps.length * STEP + HIGH + 24;
  // From the root down; each pair hangs below the node that it hashes to.
  const parts = [];
  const y = (level) => height - HIGH / 2 - 12 - level * STEP;
  const place = (level) => (level === steps.length ? WIDTH / 2 : SIDES[steps[level].left ? 1 : 0]);
  steps.forEach((step, level) => {
    const above = place(level + 1);
    const [ours, theirs] = [place(level), SIDES[step.left ? 0 : 1]];
    const line = (x, kind) => s("path", { class: `path-line ${kind}`, d: `M${x} ${y(level) - HIGH / 2}C${x} ${y(level) - STEP / 2} ${above} ${y(level) - STEP / 2} ${above} ${y(level + 1) + HIGH / 2}` });
    parts.push(line(theirs, "is-given"), line(ours, "is-ours"), box(theirs, y(level), toHex(step.sibling), "is-given"), box(ours, y(level), toHex(step.node), "is-ours"));
  });
  parts.push(box(place(steps.length), y(steps.length), toHex(top), "is-ours is-root"));
  return h("figure", { class: "path" },
    s("svg", { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Way from entry ${leaf} over ${steps.length} hashes to the root of ${size} entries` }, parts),
    h("figcaption", { class: "small soft" }, h("span", { class: "path-key path-key-ours" }), "computed here, from the entry up ", h("span", { class: "path-key path-key-given" }), "given by the server"));
}

const box = (x, y, hex, kind) => s("g", { class: `path-box ${kind}` }, s("title", null, hex), s("rect", { x: x - BOX / 2, y: y - HIGH / 2, width: BOX, height: HIGH, rx: 7 }), s("text", { x, y: y + 4, "text-anchor": "middle" }, `${hex.slice(0, 12)}…`));
