// Checks in the browser that an entry is in the tree: RFC 6962 hashes, followed to the root.
const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

export const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function sha256(prefix, ...parts) {
  const all = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  all[0] = prefix;
  let at = 1;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

export const leafHash = async (bodyBase64) => sha256(0, bytesOf(bodyBase64));

const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/**
 * Follows the proof from a leaf's hash. Returns { fits, steps: [{ node, sibling, left }] }: at each
 * step the node we know, the one we were given, and whether that stands left of ours.
 */
export async function follow(hash, leaf, size, proof, root) {
  let [index, last, node] = [BigInt(leaf), BigInt(size) - 1n, hash];
  const steps = [];
  for (const text of proof) {
    const sibling = bytesOf(text);
    if (last === 0n || sibling.length !== 32) return { fits: false, steps, top: node };
    const left = (index & 1n) === 1n || index === last;
    steps.push({ node, sibling, left });
    node = left ? await sha256(1, sibling, node) : await sha256(1, node, sibling);
    if (left) while (index !== 0n && (index & 1n) === 0n) [index, last] = [index >> 1n, last >> 1n];
    [index, last] = [index >> 1n, last >> 1n];
  }
  return { fits: last === 0n && equal(node, bytesOf(root)), steps, top: node };
}
