// A second factor on the screen: the picture for the app, and the codes for when the phone is lost.
import { h } from "./dom.js";
import { button, copy, copyable } from "./parts.js";

/** The server's own drawing, shown as an image: as one it runs nothing. */
export function enrolmentView({ secret, uri, qr }) {
  const grouped = secret.match(/.{1,4}/g).join(" ");
  return h("div", { class: "enrolment" },
    h("img", { class: "qr", alt: "QR code for your authenticator app", width: 180, height: 180, src: `data:image/svg+xml;base64,${btoa(qr)}` }),
    h("div", { class: "enrolment-words" },
      h("p", null, "Scan this with an authenticator app."),
      h("p", { class: "small soft" }, "On this device: ", h("a", { href: uri }, "open the app"), ". Or type the key:"),
      copyable(secret, "Key", grouped)));
}

export function recoveryView(codes) {
  const text = codes.join("\n");
  return h("div", { class: "recovery" },
    h("p", null, "If you lose your phone, each of these codes signs you in once. They are shown only now: keep them where you keep passwords, not on the phone."),
    h("ul", { class: "recovery-codes", "aria-label": "Recovery codes" }, codes.map((code) => h("li", null, h("code", null, code)))),
    h("div", { class: "actions" }, button("Copy all", { name: "copy", onclick: () => copy(text, "Recovery codes") })));
}
