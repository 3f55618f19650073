// Tables whose rows lead somewhere, read page by page.
import { h, replace, announce } from "./dom.js";
import { button, whileBusy } from "./parts.js";
import { bones, failure } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { toast } from "./toast.js";

/**
 * columns: [{ name, cell(row), class, end }]; the first column is the row's link.
 * A whole row can be clicked; up and down go from row to row.
 */
export function table(caption, columns, rows) {
  const body = h("tbody", { onkeydown: moveByArrows }, rows.map((row) => tableRow(columns, row)));
  return h("table", { class: columns.some((column) => column.link) ? "table table-rows" : "table" }, h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", class: classOf(column) }, column.unseen ? h("span", { class: "unseen" }, column.name) : column.name)))), body);
}

const classOf = (column) => [column.end && "end", column.class].filter(Boolean).join(" ") || null;

export const tableRow = (columns, row) => h("tr", null, columns.map((column) =>
  h("td", { class: [column.link && "main-cell", classOf(column)].filter(Boolean).join(" ") || null }, column.link ? h("a", { href: column.link(row) }, column.cell(row)) : column.cell(row))));

function moveByArrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const here = event.target.closest(".main-cell a");
  if (!step || !here) return;
  const links = [...event.currentTarget.querySelectorAll(".main-cell a")];
  const there = links[links.indexOf(here) + step];
  if (there) {
    event.preventDefault();
    there.focus();
  }
}

/**
 * A list that grows: load(after) gives { rows, more, after }. Empty lists show what empty() says.
 * Returns { node, start }; start() reads the first page again.
 */
export function growingTable(caption, columns, load, empty) {
  const place = h("div");
  const foot = h("div", { class: "card-foot", hidden: true });
  let body, total, run = 0;

  async function start() {
    const mine = ++run;
    foot.hidden = true;
    replace(place, bones(6));
    place.setAttribute("aria-busy", "true");
    try {
      const first = await load(null);
      if (mine !== run) return;
      total = first.rows.length;
      if (total === 0) {
        replace(place, empty());
        announce("Nothing found.");
        return;
      }
      const grid = table(caption, columns, first.rows);
      body = grid.querySelector("tbody");
      replace(place, grid);
      offerMore(first);
      announce(`${total} rows${first.more ? ", more available" : ""}.`);
    } catch (error) {
      if (!isAbort(error) && mine === run) replace(place, failure(error, start));
    } finally {
      if (mine === run) place.removeAttribute("aria-busy");
    }
  }

  function offerMore(page) {
    foot.hidden = !page.more;
    if (!page.more) return;
    const more = button("Show more", { kind: "quiet", onclick: () => whileBusy(more, async () => {
      try {
        const next = await load(page.after);
        const rows = next.rows.map((row) => tableRow(columns, row));
        body.append(...rows);
        total += rows.length;
        announce(`${total} rows.`);
        rows[0]?.querySelector("a")?.focus();
        offerMore(next);
      } catch (error) {
        if (!isAbort(error)) toast(textOf(error), "bad");
      }
    }) });
    replace(foot, more);
  }

  return { node: h("div", null, place, foot), start };
}
