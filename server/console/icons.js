// Icons, 20 by 20, drawn with strokes of the text's colour.
import { s } from "./dom.js";

const PATHS = {
  dashboard: "M3.5 3.5h5v6.5h-5zM11.5 3.5h5v3.5h-5zM11.5 10h5v6.5h-5zM3.5 13h5v3.5h-5z",
  customers: "M7.5 9.5a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM2.5 16.5c.3-2.9 2.3-4.5 5-4.5s4.7 1.6 5 4.5M13 4.2a2.6 2.6 0 0 1 0 5.1M14.5 12.3c1.8.5 2.8 2 3 4.2",
  invoices: "M5 2.8h7l3.5 3.5v10.9H5zM11.8 3v3.5h3.5M7.5 10h5.5M7.5 13h5.5",
  payments: "M2.8 5.5h14.4v9H2.8zM2.8 8.5h14.4M5.5 12h3",
  checks: "M10 2.8l6 2.2v4.5c0 3.6-2.4 6.2-6 7.7-3.6-1.5-6-4.1-6-7.7V5zM7.2 9.8l2 2 3.6-3.9",
  team: "M10 3.2v4M10 7.2H5v3.5M10 7.2h5v3.5M8.3 3.2h3.4M3 10.7h4v4H3zM13 10.7h4v4h-4z",
  ledger: "M8.5 11.5l3-3M9.3 6.7l1.9-1.9a3 3 0 0 1 4.2 4.2l-1.9 1.9M10.7 13.3l-1.9 1.9a3 3 0 0 1-4.2-4.2l1.9-1.9",
  webhooks: "M3.5 11.5l2-7h9l2 7v5h-13zM3.5 11.5h4l1 2h3l1-2h4M10 3.5v5M8 6.8l2 2 2-2",
  api: "M7 5.5L2.8 10 7 14.5M13 5.5L17.2 10 13 14.5M11.3 4l-2.6 12",
  plus: "M10 4.5v11M4.5 10h11",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13.2 13.2l3.6 3.6",
  close: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  back: "M11.5 5.5L7 10l4.5 4.5",
  next: "M8.5 5.5L13 10l-4.5 4.5",
  check: "M4.5 10.5l3.7 3.7 7.3-8",
  alert: "M10 3.2l7.3 13H2.7zM10 8.2v3.6M10 14v.1",
  info: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4zM10 9.3v4.4M10 6.5v.1",
  copy: "M7.2 7.2h9v9.3h-9zM4.5 12.8H3.8V3.5h9v.7",
  download: "M10 3.5v9M6.2 9L10 12.8 13.8 9M3.8 16.5h12.4",
  print: "M6 7V3h8v4M6 13.5H3.5V7h13v6.5H14M6 11.5h8V17H6z",
  edit: "M4 16l.7-3.3 8.6-8.6 2.6 2.6-8.6 8.6zM11.5 6l2.6 2.6",
  send: "M17 3.2L9 11.2M17 3.2l-5 14-3-6-6-3z",
  cancel: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4zM5 5l10 10",
  trash: "M4 5.5h12M8 5.5V3.3h4v2.2M5.3 5.5l.7 11h8l.7-11M8.5 8.5v5M11.5 8.5v5",
  sun: "M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM10 2.5v2M10 15.5v2M2.5 10h2M15.5 10h2M4.7 4.7l1.4 1.4M13.9 13.9l1.4 1.4M4.7 15.3l1.4-1.4M13.9 6.1l1.4-1.4",
  moon: "M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3z",
  leave: "M8 3.5H4v13h4M12.5 6.5L16 10l-3.5 3.5M16 10H8",
  shield: "M10 2.8l6 2.2v4.6c0 3.7-2.5 6.2-6 7.6-3.5-1.4-6-3.9-6-7.6V5zM7.2 10l2 2 3.6-3.9",
  lock: "M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  empty: "M3.5 11.5l2-7h9l2 7v5h-13zM3.5 11.5h4l1 2h3l1-2h4",
  spinner: "M10 3a7 7 0 1 1-7 7",
  clock: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4zM10 6v4.2l2.7 1.6",
  keyboard: "M2.5 5.5h15v9h-15zM5.5 8.5h.1M8.5 8.5h.1M11.5 8.5h.1M14.5 8.5h.1M6.5 11.7h7",
  eye: "M2.3 10S5 4.8 10 4.8 17.7 10 17.7 10 15 15.2 10 15.2 2.3 10 2.3 10zM10 12.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z",
  upload: "M10 12.8V3.5M6.2 7.3L10 3.5l3.8 3.8M3.8 16.5h12.4",
  user: "M10 9.8a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM4 17c.4-3.2 2.7-4.9 6-4.9s5.6 1.7 6 4.9",
  seal: "M10 2.8l1.9 1.5 2.4-.1.6 2.3 2 1.3-.9 2.2.9 2.2-2 1.3-.6 2.3-2.4-.1-1.9 1.5-1.9-1.5-2.4.1-.6-2.3-2-1.3.9-2.2-.9-2.2 2-1.3.6-2.3 2.4.1zM7.5 10l1.8 1.8 3.2-3.5",
};

/** A decorative icon; give the button around it a label. */
export function icon(name, size = 18) {
  return s("svg", { viewBox: "0 0 20 20", width: size, height: size, fill: "none", stroke: "currentColor", "stroke-width": 1.5,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", focusable: "false" }, s("path", { d: PATHS[name] }));
}

/** The mark of Aegis, in its own colours. */
export function mark() {
  return s("svg", { viewBox: "0 0 32 32", class: "brand-mark", "aria-hidden": "true", focusable: "false" },
    s("rect", { width: 32, height: 32, rx: 8, fill: "#0b6b5c" }),
    s("path", { d: "M16 6.5 24 9.6v6c0 5-3.3 8.3-8 10-4.7-1.7-8-5-8-10v-6z", fill: "none", stroke: "#fff", "stroke-width": 2, "stroke-linejoin": "round" }),
    s("path", { d: "m12.3 15.8 2.7 2.7 4.9-5.2", fill: "none", stroke: "#8fe3cf", "stroke-width": 2.2, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}
