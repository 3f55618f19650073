// Which page a path shows. Pages are made anew at each visit; what the last one still waits for is aborted.
import { announce } from "./dom.js";

let routes = [];
let show = () => {};
let leave = new AbortController();
let shown = null;

const here = () => location.pathname + location.search;

const compile = (path) => new RegExp(`^${path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);

/** routes: [{ path: "/customers/{id}", page, … }]; show(route, context) puts the page on the screen. */
export function start(table, display) {
  routes = table.map((route) => ({ ...route, pattern: compile(route.path) }));
  show = display;
  // Going to a place within the page, such as its content, fires this as well: what was typed must stay.
  addEventListener("popstate", () => here() !== shown && open());
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (link.hasAttribute("download") || link.target || url.origin !== location.origin || !find(url.pathname)) return;
    if (url.pathname === location.pathname && url.hash) return; // within the page
    event.preventDefault();
    go(url.pathname + url.search);
  });
  open();
}

export function find(path) {
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match) return { route, params: match.groups ?? {} };
  }
  return null;
}

export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  open();
}

/** Changes the query without making the page anew. */
export function setQuery(parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  history.replaceState(null, "", query.size === 0 ? location.pathname : `${location.pathname}?${query}`);
  shown = here();
}

/** A path of this origin that has a page; anything else becomes "/dashboard". */
export function safePath(wanted) {
  try {
    const url = new URL(wanted ?? "", location.origin);
    if (wanted?.startsWith("/") && url.origin === location.origin && find(url.pathname)?.route.bare === undefined && find(url.pathname)) return url.pathname + url.search;
  } catch {
    // no address at all
  }
  return "/dashboard";
}

export const reload = () => open();

function open() {
  leave.abort();
  leave = new AbortController();
  shown = here();
  const found = find(location.pathname) ?? { route: null, params: {} };
  show(found.route, { params: found.params, query: new URLSearchParams(location.search), signal: leave.signal, title: setTitle });
}

/** Title of the document, and what is heard on arrival. */
export function setTitle(title) {
  document.title = `${title} · Aegis`;
}

/** After a page was shown: to its heading, so that reading goes on there. */
export function arrive(title) {
  setTitle(title);
  const heading = document.querySelector("main h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(title);
}
