// Small choices that this browser remembers. Where storage is forbidden nothing is remembered.
const PREFIX = "aegis.";

export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // forbidden or full: the choice holds until the page is left
  }
}
