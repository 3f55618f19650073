// Dates and numbers as people read them, in their own language and zone.
import { h } from "./dom.js";

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const dateOnly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const whole = new Intl.NumberFormat();

const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

function ago(date) {
  let amount = (date.getTime() - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

const SHAPES = { full: (d) => dateTime.format(d), exact: (d) => exact.format(d), day: (d) => dateOnly.format(d), clock: (d) => clock.format(d), ago };

export const timeText = (value, shape = "full") => SHAPES[shape](new Date(value));

/** A moment in the reader's zone; its title says it in UTC. */
export function time(value, shape = "full") {
  if (!value) return "–";
  const date = new Date(value);
  return h("time", { datetime: date.toISOString(), title: `${date.toISOString().replace("T", " ").replace("Z", "")} UTC` }, SHAPES[shape](date));
}

/** A day without a time, as "2030-12-31"; the same day in every zone. */
export const day = (value) => (value ? h("time", { datetime: value }, calendar.format(new Date(`${value}T00:00:00Z`))) : "–");

export const today = () => new Intl.DateTimeFormat(undefined, { dateStyle: "full" }).format(new Date());

/** A whole number; strings of any length keep every digit. */
export const number = (value) => whole.format(typeof value === "string" ? BigInt(value) : value);

export const count = (value, one, many = `${one}s`) => `${number(value)} ${Number(value) === 1 ? one : many}`;

export const shortHash = (hex, digits = 8) => (hex ? `${hex.slice(0, digits)}…` : "–");
