// Builds DOM nodes. Text is only ever text: nothing here parses markup.
const SVG = "http://www.w3.org/2000/svg";

// Set as properties, because the attribute of that name means only the initial state.
const PROPERTIES = new Set(["value", "checked", "disabled", "open", "selected"]);

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...kept(children));
  return node;
}

function kept(children) {
  return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
}

/** h("p", { class: "soft" }, "text", node, …): an HTML element; attributes that are null or false are left out. */
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

export function replace(node, ...children) {
  node.replaceChildren(...kept(children));
  return node;
}

let lastId = 0;
export const newId = (prefix) => `${prefix}-${++lastId}`;

/** Says something to those who hear the page; the same words twice are said twice. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** Waits until the caller has stopped calling for a while. */
export function calmly(milliseconds, action) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
