// Looks at a file before it is sent: how large it is, and what its first and last bytes say. The server judges by the same bytes.
export const MOST = 5 * 1024 * 1024;

const ASCII = new TextEncoder();
const SHORTEST_PDF = 33;
const END = 16;

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const holds = (bytes, text) => hex(bytes).includes(hex(ASCII.encode(text)));

// Beginning, end, and the type; a file with the beginning and another end was cut, or has something behind it.
const KINDS = [
  { type: "PNG", begins: (head) => hex(head.slice(0, 8)) === "89504e470d0a1a0a" && hex(head.slice(12, 16)) === "49484452", ends: (tail) => hex(tail.slice(-12)) === "0000000049454e44ae426082" },
  { type: "JPEG", begins: (head) => hex(head.slice(0, 3)) === "ffd8ff", ends: (tail) => hex(tail.slice(-2)) === "ffd9" },
  { type: "PDF", begins: (head) => /^%PDF-[12]/.test(String.fromCharCode(...head.slice(0, 6))), ends: (tail, size) => size >= SHORTEST_PDF && holds(tail, "%%EOF") },
];

export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const kilo = bytes / 1024;
  return kilo < 1000 ? `${Math.round(kilo)} kB` : `${new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 }).format(kilo / 1024)} MB`;
}

/** { type } of a file that would be taken, or { fault } in words. */
export async function lookAt(file) {
  if (file.size === 0) return { fault: "The file is empty." };
  if (file.size > MOST) return { fault: `The file has ${sizeText(file.size)}; at most 5 MB are taken.` };
  const [head, tail] = await Promise.all([file.slice(0, END), file.slice(Math.max(0, file.size - END))].map(async (part) => new Uint8Array(await part.arrayBuffer())));
  const kind = KINDS.find((one) => one.begins(head));
  if (!kind) return { fault: "This is neither a PDF nor a JPEG nor a PNG, whatever it is called." };
  if (!kind.ends(tail, file.size)) return { fault: `This begins as a ${kind.type} and does not end as one: it was cut, or something stands behind its end.` };
  return { type: kind.type };
}

/** The bytes in base64. */
export const base64Of = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => reject(new Error("The file could not be read"));
  reader.readAsDataURL(file);
});
