// Small things that this browser remembers, or only this tab. Where storage is forbidden nothing is remembered.
const PREFIX = "aegis.";

function read(storage, name) {
  try {
    return window[storage].getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(PREFIX + name);
    else window[storage].setItem(PREFIX + name, value);
  } catch {
    // forbidden or full: it holds until the page is left
  }
}

export const recall = (name) => read("localStorage", name);
export const remember = (name, value) => write("localStorage", name, value);
export const recallHere = (name) => read("sessionStorage", name);
export const rememberHere = (name, value) => write("sessionStorage", name, value);
