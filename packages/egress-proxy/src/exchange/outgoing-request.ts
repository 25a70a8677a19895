import type { SessionPolicy } from "../contract.ts";
import { fieldValues } from "../http1/fields.ts";
import {
  connectionOptions,
  isHopByHop,
  upgradeProtocol,
  wantsTrailers,
} from "../http1/hop-by-hop.ts";
import type { Framing } from "../http1/message-framing.ts";
import type { RequestHead } from "../http1/request-head.ts";
import {
  noteWithheldTokens,
  type SubstitutedCredentials,
  substituteHeaderValue,
} from "../substitution/header-substitution.ts";
import { matcherFor } from "../substitution/resealing.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { type TokenTable, tokenTableFor } from "../substitution/token-table.ts";
import { type BodyForm, bodyFormFor } from "../substitution/value-forms.ts";
import type { ValueMatcher } from "../substitution/value-matcher.ts";
import type { CheckedRequest } from "./check-host.ts";
import { Refusal } from "./refusal.ts";

/** A request as it will go upstream, except for its body and the fields that frame it. */
export interface OutgoingRequest {
  readonly method: string;
  /** Request line and fields, each with its CRLF. */
  readonly headText: string;
  /** `Expect` as it came; it goes upstream unless the body is collected first. */
  readonly expect: string | undefined;
  /** How the guest frames the body. */
  readonly framing: Framing;
  /** The guest gave a Content-Length of 0, which has to be said again. */
  readonly declaresEmptyBody: boolean;
  readonly upgrade: string | undefined;
  readonly guestWantsClose: boolean;
  readonly tokens: TokenTable;
  /** Whether the body is searched for tokens. A compressed body is not: it passes unchanged. */
  readonly searchesBody: boolean;
  readonly bodyForm: BodyForm;
  /** What to seal again in the answer; undefined when there is nothing. */
  readonly matcher: ValueMatcher | undefined;
}

/** Values can be much longer than tokens: what a head may grow to. */
const substitutedHeadOctetsMax = 256 * 1024;

/** Fields that the proxy writes by itself from what it has understood. */
const rewrittenFields = new Set(["host", "content-length", "expect"]);

/**
 * Writes the head of a request afresh, with values in the place of usable tokens.
 *
 * Substitution takes place in field values. The target and field names pass
 * as they are; a token in the target is recorded as withheld.
 *
 * @throws {SecretNotUsableInHeaderError}
 * @throws {Refusal} 431 when the head grows too large
 */
export function prepareRequest(
  head: RequestHead,
  framing: Framing,
  checked: CheckedRequest,
  policy: SessionPolicy,
  seen: SeenSecrets,
): OutgoingRequest {
  const { destination } = checked;
  const tokens = tokenTableFor(policy, destination.scheme, destination.host);
  const searches = tokens.entries.size > 0;
  const credentials: SubstitutedCredentials[] = [];
  const options = connectionOptions(head.fields);
  const upgrade =
    framing.kind === "none" && head.minorVersion === 1
      ? upgradeProtocol(head.fields, options)
      : undefined;
  const sealsAnswer = policy.secrets.length > 0 && matcherFor(policy, []) !== undefined;

  let text = `${head.method} ${checked.target} HTTP/1.1\r\nHost: ${destination.host}\r\n`;
  if (searches) noteWithheldTokens(checked.target, tokens, seen);
  for (const field of head.fields) {
    const { lowerName } = field;
    if (rewrittenFields.has(lowerName) || isHopByHop(lowerName, options)) continue;
    if (sealsAnswer && lowerName === "accept-encoding") continue;
    const value = searches
      ? substituteHeaderValue(field.value, tokens, seen, credentials)
      : field.value;
    text += `${field.name}: ${value}\r\n`;
    if (text.length > substitutedHeadOctetsMax) {
      throw new Refusal(
        "head_too_large",
        `With the values of its secrets the request head is larger than ${substitutedHeadOctetsMax} octets`,
      );
    }
  }
  const matcher =
    sealsAnswer || credentials.length > 0 ? matcherFor(policy, credentials) : undefined;
  if (sealsAnswer) text += "Accept-Encoding: identity\r\n";
  text += connectionLines(head, upgrade);

  return {
    method: head.method,
    headText: text,
    expect: head.minorVersion === 1 ? fieldValues(head.fields, "expect")[0] : undefined,
    framing,
    declaresEmptyBody: framing.kind === "none" && head.fields.some(isContentLength),
    upgrade,
    guestWantsClose: head.minorVersion === 0 || options.has("close"),
    tokens,
    searchesBody: framing.kind !== "none" && searches && !isCompressed(head),
    bodyForm:
      framing.kind === "none" ? "raw" : bodyFormFor(fieldValues(head.fields, "content-type")[0]),
    matcher,
  };
}

function connectionLines(head: RequestHead, upgrade: string | undefined): string {
  const trailers = wantsTrailers(head.fields);
  const options = [trailers ? "TE" : "", upgrade === undefined ? "" : "Upgrade"].filter(Boolean);
  if (options.length === 0) return "";
  return (
    (trailers ? "TE: trailers\r\n" : "") +
    (upgrade === undefined ? "" : `Upgrade: ${upgrade}\r\n`) +
    `Connection: ${options.join(", ")}\r\n`
  );
}

function isContentLength(field: { lowerName: string }): boolean {
  return field.lowerName === "content-length";
}

function isCompressed(head: RequestHead): boolean {
  return fieldValues(head.fields, "content-encoding").some(
    (value) => value !== "" && value.toLowerCase() !== "identity",
  );
}
