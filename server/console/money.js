// Money is a whole number of minor units, as a string, and an ISO 4217 code. Never a float.

// Exponents that are not 2, from ISO 4217. Those of Intl follow how cash is used, which is not the same.
const EXPONENTS = { 0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW" };
const exponents = new Map(Object.entries(EXPONENTS).flatMap(([exponent, codes]) => codes.split(" ").map((code) => [code, Number(exponent)])));

// The others that amounts may be in; the same as in aegis_app.currencies().
const HUNDREDTHS = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
  + "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
  + "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN "
  + "NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC "
  + "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

const FIRST = ["GBP", "EUR", "USD", "CHF", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD", "AUD"];

export const exponentOf = (currency) => exponents.get(currency) ?? 2;

/** Codes to choose from: the usual ones first. */
export function currencies() {
  const all = [...exponents.keys(), ...HUNDREDTHS.split(" ")].sort();
  return [...FIRST, ...all.filter((code) => !FIRST.includes(code))];
}

/** "123456" and 2 → "1234.56"; exact for any length. */
export function toDecimal(minor, exponent) {
  const value = BigInt(minor);
  const digits = (value < 0n ? -value : value).toString().padStart(exponent + 1, "0");
  const cut = digits.length - exponent;
  return `${value < 0n ? "-" : ""}${digits.slice(0, cut)}${exponent ? `.${digits.slice(cut)}` : ""}`;
}

/** "£1,234.56" in the reader's language. */
export function money(minor, currency) {
  const exponent = exponentOf(currency);
  const decimal = toDecimal(minor, exponent);
  return formatter(currency, exponent).format(decimal);
}

const formatters = new Map();
function formatter(currency, exponent) {
  if (!formatters.has(currency)) {
    formatters.set(currency, new Intl.NumberFormat(undefined, { style: "currency", currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent }));
  }
  return formatters.get(currency);
}

/** "1234.5" and "GBP" → "123450"; null when it is no amount of that currency. */
export function parseMoney(text, currency) {
  const exponent = exponentOf(currency);
  const match = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.replace(/[\s\u00a0\u202f']/g, ""));
  if (!match || (match[2] ?? "").length > exponent) return null;
  return BigInt(match[1] + (match[2] ?? "").padEnd(exponent, "0")).toString();
}
