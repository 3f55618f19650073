// What the API says when it refuses (RFC 9457), as an error that pages can show.
const PREFIX = "urn:aegis:problem:";

export class Problem extends Error {
  constructor(status, document = {}, retryAfter = null) {
    super(document.title ?? "The server answered with an error");
    this.status = status;
    this.name = typeof document.type === "string" && document.type.startsWith(PREFIX) ? document.type.slice(PREFIX.length) : "unknown";
    this.detail = document.detail ?? null;
    this.hint = document.hint ?? null;
    this.requestId = document.request_id ?? null;
    this.retryAfter = retryAfter;
  }

  static async of(answer) {
    let document = {};
    if ((answer.headers.get("content-type") ?? "").includes("json")) {
      document = await answer.json().catch(() => ({})); // a cut answer: its status says enough
    }
    const seconds = Number.parseInt(answer.headers.get("retry-after") ?? "", 10);
    return new Problem(answer.status, document, Number.isFinite(seconds) ? seconds : null);
  }

  /** One or two sentences for people. */
  get text() {
    return [this.message, this.detail, this.hint].filter(Boolean).map(sentence).join(" ");
  }
}

function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** The text of whatever was thrown. */
export const textOf = (error) => (error instanceof Problem ? error.text : sentence(String(error?.message ?? error)));

/** True for what a page that was left need not show. */
export const isAbort = (error) => error?.name === "AbortError";
