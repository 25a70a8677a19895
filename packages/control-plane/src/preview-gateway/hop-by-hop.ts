/** Names and values in turn, as they came: `rawHeaders` of node:http. */
export type RawFields = readonly string[];

/** Fields that concern one connection (RFC 9110, section 7.6.1), and those of proxies. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

export function* fieldsOf(
  raw: RawFields,
): Generator<{ name: string; lower: string; value: string }> {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name = "", value = ""] = [raw[index], raw[index + 1]];
    yield { name, lower: name.toLowerCase(), value };
  }
}

/** The names, in lower case, of what is not passed on: the fixed ones, and those that Connection lists. */
export function hopByHopNames(raw: RawFields): ReadonlySet<string> {
  const names = new Set(hopByHop);
  for (const { lower, value } of fieldsOf(raw)) {
    if (lower !== "connection") continue;
    for (const option of value.split(",")) names.add(option.trim().toLowerCase());
  }
  return names;
}
