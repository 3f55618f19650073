// The chain of seals as a picture: each block holds the hash of the one before it.
import { h, replace, s } from "./dom.js";
import { count, number, shortHash, timeText } from "./format.js";

const WIDTH = 156;
const HEIGHT = 136;
const GAP = 46;
const TOP = 8;
const BAND = TOP + HEIGHT + 16;
const FULL = BAND + 30;
const HASH_ROW = TOP + 94;
const PREVIOUS_ROW = TOP + 118;
const MOST_MARKS = 20;

/**
 * The picture of seals that are given newest first. select(seal or null) is told what was chosen.
 * Returns { node, show(seals), choose(number) }.
 */
export function chain({ select }) {
  const scroller = h("div", { class: "chain-scroll" });
  const words = h("p", { class: "chain-words" });
  let seals = [];
  let chosen = null;
  let blocks = [];

  const resting = () => replace(words, "Each seal holds the hash of the one before it, so changing anything old would change every hash after it.");

  function show(newestFirst) {
    const atEnd = scroller.scrollLeft + scroller.clientWidth >= scroller.scrollWidth - 8;
    const held = scroller.scrollWidth - scroller.scrollLeft;
    seals = [...newestFirst].reverse();
    draw();
    scroller.scrollLeft = atEnd ? scroller.scrollWidth : scroller.scrollWidth - held;
    if (blocks.length > 0) blocks.at(-1).setAttribute("tabindex", "0");
    resting();
  }

  function draw() {
    const width = seals.length * (WIDTH + GAP) + GAP;
    const svg = s("svg", { class: "chain", width, height: FULL, viewBox: `0 0 ${width} ${FULL}`, role: "group", "aria-label": `The newest ${seals.length} seals, oldest first` });
    const links = seals.map((seal, i) => link(seal, i));
    blocks = seals.map((seal, i) => block(seal, i));
    svg.append(...bands(), ...links, ...blocks);
    svg.addEventListener("keydown", move);
    const light = (event) => {
      const at = blocks.indexOf(event.target.closest?.(".chain-block"));
      blocks.forEach((node, i) => {
        node.classList.toggle("is-lit", i === at);
        node.classList.toggle("is-source", i === at - 1);
        links[i].classList.toggle("is-lit", i === at);
      });
      if (at < 0) resting();
      else explain(seals[at], seals[at - 1]);
    };
    for (const event of ["pointerover", "focusin"]) svg.addEventListener(event, light);
    for (const event of ["pointerleave", "focusout"]) svg.addEventListener(event, light.bind(null, { target: svg }));
    replace(scroller, svg);
    mark();
  }

  const left = (i) => GAP + i * (WIDTH + GAP);

  function link(seal, i) {
    const [x1, x2] = [left(i) - GAP, left(i)];
    const middle = (x1 + x2) / 2;
    const first = seal.number === 1;
    const from = i === 0 ? x1 - 10 : x1;
    const curve = `M${from} ${HASH_ROW}C${middle} ${HASH_ROW} ${middle} ${PREVIOUS_ROW} ${x2} ${PREVIOUS_ROW}`;
    return s("g", { class: "chain-link", "aria-hidden": "true" }, !first && [s("path", { d: curve }), i > 0 && s("circle", { cx: x1, cy: HASH_ROW, r: 3.5 })], s("circle", { cx: x2, cy: PREVIOUS_ROW, r: 3.5 }));
  }

  function block(seal, i) {
    const x = left(i);
    const line = (y, name, hash, kind) => [s("rect", { class: `chain-slot chain-slot-${kind}`, x: x + 6, y: y - 11, width: WIDTH - 12, height: 22, rx: 5 }),
      s("text", { class: "chain-label", x: x + 13, y: y + 4 }, name), s("text", { class: "chain-hash", x: x + WIDTH - 13, y: y + 4, "text-anchor": "end" }, hash)];
    const node = s("g", { class: "chain-block", role: "button", tabindex: -1, "aria-pressed": "false", "aria-label": describe(seal) },
      s("rect", { class: "chain-body", x, y: TOP, width: WIDTH, height: HEIGHT, rx: 10 }),
      s("text", { class: "chain-number", x: x + 13, y: TOP + 24 }, `#${number(seal.number)}`),
      s("text", { class: "chain-time", x: x + WIDTH - 13, y: TOP + 24, "text-anchor": "end" }, timeText(seal.sealed_at, "clock")),
      marks(seal.entries, x + 13),
      line(HASH_ROW, "hash", shortHash(seal.hash), "hash"),
      line(PREVIOUS_ROW, "previous", seal.number === 1 ? "none" : shortHash(seal.previous), "previous"));
    node.addEventListener("click", () => choose(seal.number === chosen ? null : seal.number));
    return node;
  }

  // One square for each entry of ours.
  function marks(entries, x) {
    if (entries === 0) return s("text", { class: "chain-none", x, y: TOP + 55 }, "none of yours");
    const shown = Math.min(entries, MOST_MARKS);
    const squares = Array.from({ length: shown }, (_, i) => s("rect", { class: "chain-entry", x: x + (i % 10) * 11, y: TOP + 40 + Math.floor(i / 10) * 11, width: 8, height: 8, rx: 2 }));
    const rest = entries > shown && s("text", { class: "chain-none", x: x + 113, y: TOP + 59 }, `+${number(entries - shown)}`);
    return s("g", { "aria-hidden": "true" }, squares, rest);
  }

  // Below the blocks: which of them the operator's key has signed, and which wait for it.
  function bands() {
    const groups = [];
    seals.forEach((seal, i) => {
      const size = seal.checkpoint?.size ?? null;
      if (groups.length > 0 && groups.at(-1).size === size) groups.at(-1).end = i;
      else groups.push({ size, start: i, end: i, checkpoint: seal.checkpoint });
    });
    return groups.flatMap(({ start, end, checkpoint }) => {
      const [x, width] = [left(start), left(end) + WIDTH - left(start)];
      const text = checkpoint === null || checkpoint === undefined ? "not signed yet" : `signed ${timeText(checkpoint.signed_at, "clock")}`;
      return [s("rect", { class: checkpoint ? "chain-band" : "chain-band chain-band-open", x: x + 0.5, y: BAND, width: width - 1, height: 24, rx: 6 }),
        s("text", { class: checkpoint ? "chain-signed" : "chain-none", x: x + width - 10, y: BAND + 16.5, "text-anchor": "end" }, text)];
    });
  }

  function explain(seal, before) {
    if (seal.number === 1) return replace(words, "Seal 1 is the first: there is no hash before it.");
    const fits = before && before.hash === seal.previous;
    replace(words, `Seal ${number(seal.number)} holds `, h("code", null, shortHash(seal.previous, 12)), `, the hash of seal ${number(seal.number - 1)}`,
      before ? (fits ? "." : h("strong", { class: "bad-text" }, `, which shows ${shortHash(before.hash, 12)}: they do not fit.`)) : ", which is further left.");
  }

  function move(event) {
    const at = blocks.indexOf(event.target);
    if (at < 0) return;
    const there = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: blocks.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(seals[at].number === chosen ? null : seals[at].number);
    } else if (there !== undefined && blocks[there]) {
      event.preventDefault();
      for (const node of blocks) node.setAttribute("tabindex", "-1");
      blocks[there].setAttribute("tabindex", "0");
      blocks[there].focus();
      blocks[there].scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  const mark = () => blocks.forEach((node, i) => node.setAttribute("aria-pressed", String(seals[i].number === chosen)));

  function choose(wanted) {
    chosen = wanted;
    mark();
    select(seals.find((seal) => seal.number === wanted) ?? null);
  }

  return { node: h("div", { class: "chain-box" }, scroller, words), show, choose };
}

function describe(seal) {
  return `Seal ${seal.number}, ${timeText(seal.sealed_at, "exact")}, ${count(seal.entries, "entry", "entries")} of yours, hash ${seal.hash.slice(0, 8)}, ${
    seal.number === 1 ? "the first" : `previous ${seal.previous.slice(0, 8)}`}, ${seal.checkpoint ? "signed" : "not signed yet"}`;
}
