import { type Field, fieldValues, listMembers } from "./fields.ts";

/** Fields that concern one connection only, whether `Connection` lists them or not (RFC 9110 §7.6.1). */
const hopByHop = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

const noOptions: ReadonlySet<string> = new Set();

/** The options of every `Connection` field, in lower case. */
export function connectionOptions(fields: readonly Field[]): ReadonlySet<string> {
  const values = fieldValues(fields, "connection");
  return values.length === 0 ? noOptions : new Set(listMembers(values));
}

/**
 * Whether a field concerns only the connection that it came on. What else
 * `Connection` lists is passed on: if it were dropped, `Connection:
 * authorization` would remove a credential from a request on which the server's
 * decision depends.
 */
export function isHopByHop(lowerName: string): boolean {
  return hopByHop.has(lowerName);
}

/** Whether `TE` accepts trailers, the only one of its members that may be passed on. */
export function wantsTrailers(fields: readonly Field[]): boolean {
  const values = fieldValues(fields, "te");
  return values.length > 0 && listMembers(values).includes("trailers");
}

/**
 * The protocol that a message asks or agrees to switch to, unchanged;
 * undefined when there is none. HTTP and TLS are not passed on as upgrades:
 * inside them the proxy would see neither host nor tokens.
 */
export function upgradeProtocol(
  fields: readonly Field[],
  options: ReadonlySet<string>,
): string | undefined {
  if (!options.has("upgrade")) return undefined;
  const values = fieldValues(fields, "upgrade");
  const [value] = values;
  if (value === undefined || values.length > 1) return undefined;
  return /^[^,]+$/.test(value) && !/^(?:h2c|http|tls)\b/i.test(value) ? value : undefined;
}
