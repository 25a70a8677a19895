import type { RecordType } from "dns-packet";

/** HTTPS and SVCB, to which the decoder gives no names: their data arrives as bytes. */
export const serviceBindingTypes: ReadonlySet<RecordType> = new Set(
  ["UNKNOWN_65", "UNKNOWN_64"].map((type) => type as RecordType),
);

/** RFC 9460, section 14.3.2. */
const keys = { mandatory: 0, alpn: 1, noDefaultAlpn: 2, ipv4Hint: 4, ech: 5, ipv6Hint: 6 } as const;
/** What a guest gets nothing of: hints would bypass the judgement of addresses, ECH would hide the server name. */
const removedKeys: ReadonlySet<number> = new Set([keys.ipv4Hint, keys.ech, keys.ipv6Hint]);

interface Parameter {
  readonly key: number;
  readonly value: Buffer;
}

/**
 * Removes from the data of an HTTPS or SVCB record (RFC 9460, section 2.2) what
 * cannot work through the proxy: encrypted client hello, HTTP/3, and addresses.
 * Returns `undefined` for malformed data and for a record that has no meaning
 * without what was removed. Never throws.
 */
export function filterServiceBinding(data: Buffer): Buffer | undefined {
  const parametersAt = endOfTarget(data);
  if (parametersAt === undefined) return undefined;
  const parameters = parseParameters(data, parametersAt);
  if (parameters === undefined) return undefined;
  const kept: Parameter[] = [];
  for (const { key, value } of parameters) {
    if (removedKeys.has(key)) continue;
    const filtered = key === keys.alpn ? withoutHttp3(value) : value;
    if (filtered === undefined) return undefined;
    if (filtered.length > 0 || key !== keys.alpn) kept.push({ key, value: filtered });
  }
  const has = (wanted: number) => kept.some(({ key }) => key === wanted);
  if (has(keys.noDefaultAlpn) && !has(keys.alpn)) return undefined;
  const mandatory = kept.find(({ key }) => key === keys.mandatory);
  if (mandatory !== undefined && !keysOf(mandatory.value).every(has)) return undefined;
  return Buffer.concat([data.subarray(0, parametersAt), ...kept.map(encodeParameter)]);
}

/** Where the parameters begin: after the priority and the target, a name without compression. */
function endOfTarget(data: Buffer): number | undefined {
  let at = 2;
  while (at < data.length && at < 2 + 255) {
    const labelBytes = data.readUInt8(at);
    if (labelBytes > 63) return undefined;
    at += 1 + labelBytes;
    if (labelBytes === 0) return at;
  }
  return undefined;
}

function parseParameters(data: Buffer, from: number): readonly Parameter[] | undefined {
  const parameters: Parameter[] = [];
  let at = from;
  while (at < data.length) {
    if (at + 4 > data.length) return undefined;
    const key = data.readUInt16BE(at);
    const end = at + 4 + data.readUInt16BE(at + 2);
    const before = parameters.at(-1);
    if (end > data.length || (before !== undefined && before.key >= key)) return undefined;
    parameters.push({ key, value: data.subarray(at + 4, end) });
    at = end;
  }
  return parameters;
}

/** A list of protocols, each with its length before it, without those that are HTTP/3. */
function withoutHttp3(value: Buffer): Buffer | undefined {
  const kept: Buffer[] = [];
  let at = 0;
  while (at < value.length) {
    const end = at + 1 + value.readUInt8(at);
    if (end > value.length || end === at + 1) return undefined;
    const protocol = value.toString("latin1", at + 1, end);
    if (!/^h3(?:-|$)/.test(protocol)) kept.push(value.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

function keysOf(value: Buffer): readonly number[] {
  const listed: number[] = [];
  for (let at = 0; at + 2 <= value.length; at += 2) listed.push(value.readUInt16BE(at));
  return listed;
}

function encodeParameter({ key, value }: Parameter): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(key, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
}
