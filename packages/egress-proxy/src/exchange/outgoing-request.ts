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
import { type BodyForm, bodyFormFor } from "../substitution/body-form.ts";
import { substituteField } from "../substitution/header-substitution.ts";
import { headTooLarge, substitutedHeadBytesMax } from "../substitution/replace-tokens.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { substituteTarget } from "../substitution/target-substitution.ts";
import type { TokenTable } from "../substitution/token-table.ts";
import type { CheckedRequest } from "./check-host.ts";
import { asksForPart, isPartField } from "./partial-request.ts";
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
  /** The policy in force when the request came. */
  readonly policy: SessionPolicy;
  /** Whether a part of the resource was asked for, so that a 206 may come back. */
  readonly mayGetPartial: boolean;
  readonly tokens: TokenTable;
  /** Whether the body is searched for tokens. A compressed body is not: it passes unchanged. */
  readonly searchesBody: boolean;
  /** How values are written into the body; undefined when none may be. */
  readonly bodyForm: BodyForm | undefined;
  /** Whether a token may become its value anywhere in the body. */
  readonly changesBody: boolean;
  /** Whether a token may become its value in one member of the body, which has to be whole for that. */
  readonly editsBodyMembers: boolean;
}

/** Fields that the proxy writes by itself from what it has understood. */
const rewrittenFields = new Set(["host", "content-length", "expect"]);

/**
 * Writes the head of a request afresh, with values in the place of the tokens
 * that may become them there. Field names pass as they are.
 *
 * @throws {SecretNotUsableError}
 * @throws {HttpSyntaxError} `too_large` when the head grows too large
 * @throws {Refusal} 403 for an upgrade whose bytes could not be searched
 */
export function prepareRequest(
  head: RequestHead,
  framing: Framing,
  checked: CheckedRequest,
  policy: SessionPolicy,
  seen: SeenSecrets,
): OutgoingRequest {
  const { destination } = checked;
  const tokens = policy.tokens.forDestination(destination);
  const searches = tokens.entries.size > 0;
  const options = connectionOptions(head.fields);
  const upgrade =
    framing.kind === "none" && head.minorVersion === 1
      ? upgradeProtocol(head.fields, options)
      : undefined;
  const dropsPartFields = policy.mayStoreValue(destination.host);
  const dropped = (lowerName: string): boolean =>
    rewrittenFields.has(lowerName) ||
    isHopByHop(lowerName) ||
    (dropsPartFields && isPartField(lowerName)) ||
    (upgrade !== undefined && lowerName === "sec-websocket-extensions") ||
    (policy.search !== undefined && lowerName === "accept-encoding");

  const target = searches ? substituteTarget(checked.target, tokens, seen) : checked.target;
  const requestLine = `${head.method} ${target} HTTP/1.1\r\n`;
  let text = `${requestLine}Host: ${destination.host}\r\n`;
  for (const field of head.fields) {
    if (dropped(field.lowerName)) continue;
    text += `${field.name}: ${searches ? substituteField(field, tokens, seen) : field.value}\r\n`;
    // The target is not counted: how long it becomes depends on the characters of values.
    if (text.length - requestLine.length > substitutedHeadBytesMax) throw headTooLarge();
  }
  if (policy.search !== undefined) text += "Accept-Encoding: identity\r\n";
  text += connectionLines(head, upgrade);
  if (upgrade !== undefined && !isWebSocket(upgrade)) refuseUnsearchable(policy, seen);
  const changes = bodyChanges(head, framing, tokens);

  return {
    method: head.method,
    headText: text,
    expect: head.minorVersion === 1 ? fieldValues(head.fields, "expect")[0] : undefined,
    framing,
    declaresEmptyBody: framing.kind === "none" && head.fields.some(isContentLength),
    upgrade,
    guestWantsClose: head.minorVersion === 0 || options.has("close"),
    policy,
    mayGetPartial: !dropsPartFields && asksForPart(head),
    tokens,
    searchesBody: changes.searchesBody,
    bodyForm: changes.bodyForm,
    changesBody: changes.changesBody,
    editsBodyMembers: changes.editsBodyMembers,
  };
}

const noBodyChanges = {
  searchesBody: false,
  bodyForm: undefined,
  changesBody: false,
  editsBodyMembers: false,
};

function bodyChanges(
  head: RequestHead,
  framing: Framing,
  tokens: TokenTable,
): Pick<OutgoingRequest, "searchesBody" | "bodyForm" | "changesBody" | "editsBodyMembers"> {
  if (framing.kind === "none") return noBodyChanges;
  const searchesBody = tokens.entries.size > 0 && !isCompressed(head);
  const bodyForm = searchesBody ? bodyFormFor(fieldValues(head.fields, "content-type")) : undefined;
  return {
    searchesBody,
    bodyForm,
    changesBody: bodyForm !== undefined && tokens.changesBodies,
    editsBodyMembers: (bodyForm === "json" || bodyForm === "form") && tokens.bodyFields.length > 0,
  };
}

function isWebSocket(protocol: string): boolean {
  return protocol.toLowerCase() === "websocket";
}

/** What follows an upgrade to an unknown protocol cannot be searched for values. */
function refuseUnsearchable(policy: SessionPolicy, seen: SeenSecrets): void {
  if (policy.search === undefined && seen.substituted.length === 0) return;
  throw new Refusal(
    "upgrade_refused",
    "The upgrade is refused: with secrets in the sandbox, only an upgrade to websocket is allowed",
  );
}

function connectionLines(head: RequestHead, upgrade: string | undefined): string {
  const trailers = wantsTrailers(head.fields);
  if (!trailers && upgrade === undefined) return "";
  const options = [trailers ? "TE" : "", upgrade === undefined ? "" : "Upgrade"].filter(Boolean);
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
