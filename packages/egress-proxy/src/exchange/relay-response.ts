import { BodyReader, readWhole } from "../http1/body-reader.ts";
import { type ByteChannel, ChannelLostError } from "../http1/byte-channel.ts";
import { fieldValues } from "../http1/fields.ts";
import { connectionOptions } from "../http1/hop-by-hop.ts";
import { type Framing, responseFraming } from "../http1/message-framing.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { redactFieldLine } from "../redaction/redact-head.ts";
import { redactWhole } from "../redaction/stream-redactor.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import type { AuditRecord } from "./audit-record.ts";
import type { BodyBudget } from "./body-budgets.ts";
import { compressionOf } from "./compressed-passage.ts";
import { contentCodingOf, decodedBody } from "./content-decoding.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { relayCompressed, relayDecoded, relaySearched, relayUnsearched } from "./relay-body.ts";
import { responseHeadText } from "./response-head-text.ts";

export interface ResponseContext {
  readonly guest: ByteChannel;
  readonly upstream: ByteChannel;
  readonly request: OutgoingRequest;
  readonly host: string;
  readonly audit: AuditRecord;
  readonly budget: BodyBudget;
  readonly measuredBodyBytesMax: number;
  /** What is searched for now; asked again for each part of a body. */
  readonly search: () => ValueSearch | undefined;
  /** Whether the guest understands chunked bodies. */
  readonly guestTakesChunked: boolean;
  /** Whether the guest's connection ends after this response in any case. */
  readonly close: boolean;
  /** Called when the first byte of the response is about to go to the guest. */
  onResponseBegins(): void;
}

const shortBodyBytesMax = 4096;

export interface StreamedResponse {
  /** Only the close of the guest's connection shows the end. */
  readonly closeDelimited: boolean;
}

export interface RelayedResponse {
  readonly guestMayContinue: boolean;
  readonly upstreamMayContinue: boolean;
}

/**
 * Passes a final response on to the guest, with tokens in the place of values.
 * Its head has been redacted already.
 *
 * @throws {HttpSyntaxError} for what the upstream sent
 * @throws {ChannelLostError} for either side
 * @throws {Refusal} for a body in which values cannot be seen
 */
export async function relayResponse(
  context: ResponseContext,
  head: ResponseHead,
): Promise<RelayedResponse> {
  const framing = responseFraming(head, context.request.method);
  const upstreamPersists =
    head.minorVersion === 1 &&
    framing.kind !== "until_close" &&
    !connectionOptions(head.fields).has("close");
  context.audit.status = head.status;
  const body = new BodyReader(context.upstream, framing, trailerReader(context, framing));
  const relayed =
    framing.kind === "none"
      ? relayBodiless(context, head)
      : relayBody(context, head, framing, body);
  const streamed = relayed instanceof Promise ? await relayed : relayed;
  return {
    guestMayContinue: !context.close && !streamed.closeDelimited,
    upstreamMayContinue: upstreamPersists && body.complete && context.upstream.quiet,
  };
}

function trailerReader(
  context: ResponseContext,
  framing: Framing,
): ((line: string) => string) | undefined {
  if (framing.kind !== "chunked") return undefined;
  return (line) =>
    redactFieldLine(line, context.search(), (name) => context.audit.seen.note("redacted", name));
}

function relayBodiless(context: ResponseContext, head: ResponseHead): StreamedResponse {
  const [declared] = fieldValues(head.fields, "content-length");
  const describesOther = context.request.method === "HEAD" || head.status === 304;
  const contentLength = describesOther ? declared : head.status === 204 ? undefined : "0";
  context.onResponseBegins();
  context.guest.write(headText(context, head, contentLength));
  return { closeDelimited: false };
}

function relayBody(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: BodyReader,
): StreamedResponse | Promise<StreamedResponse> {
  if (context.search() === undefined) return relayUnsearched(context, head, framing, body);
  const coding = contentCodingOf(head, context.host);
  if (coding !== undefined) {
    return relayDecoded(context, head, decodedBody(body, coding, context.host));
  }
  return isCollected(context, head, framing)
    ? relayCollected(context, head, framing, body)
    : relaySearched(context, head, framing, body);
}

/** Whether a body is short enough to keep its Content-Length after it was changed. */
function isCollected(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
): framing is Extract<Framing, { kind: "length" }> {
  if (framing.kind !== "length" || framing.length > context.measuredBodyBytesMax) return false;
  return !isEventStream(head) && context.budget.tryTake(framing.length);
}

/** Nothing is waited for where all of the body is there, and the guest takes it: most responses are short. */
function relayCollected(
  context: ResponseContext,
  head: ResponseHead,
  framing: Extract<Framing, { kind: "length" }>,
  body: BodyReader,
): StreamedResponse | Promise<StreamedResponse> {
  const whole = body.takeWhole();
  if (whole === undefined || compressionOf(whole) !== undefined) {
    return collectAndRelay(context, head, framing, body, whole);
  }
  let blocked: Promise<void> | undefined;
  try {
    blocked = writeWhole(context, head, whole);
    if (blocked === undefined) return relayedWhole(context);
  } finally {
    if (blocked === undefined) context.budget.give(framing.length);
  }
  return relayBlocked(context, framing, blocked);
}

async function collectAndRelay(
  context: ResponseContext,
  head: ResponseHead,
  framing: Extract<Framing, { kind: "length" }>,
  body: BodyReader,
  taken: Buffer | undefined,
): Promise<StreamedResponse> {
  try {
    const whole = taken ?? (await readWhole(body));
    const compression = compressionOf(whole);
    if (compression !== undefined) {
      return await relayCompressed(context, head, framing, compression, oneTime(whole));
    }
    await writeWhole(context, head, whole);
    return relayedWhole(context);
  } finally {
    context.budget.give(framing.length);
  }
}

async function relayBlocked(
  context: ResponseContext,
  framing: Extract<Framing, { kind: "length" }>,
  blocked: Promise<void>,
): Promise<StreamedResponse> {
  try {
    await blocked;
    return relayedWhole(context);
  } finally {
    context.budget.give(framing.length);
  }
}

/** Writes the head and all of the body at once. Returns a promise where the guest has to take it first. */
function writeWhole(
  context: ResponseContext,
  head: ResponseHead,
  whole: Buffer,
): Promise<void> | undefined {
  const { guest, audit } = context;
  const redacted = redactWhole(whole, context.search(), (name) =>
    audit.seen.note("redacted", name),
  );
  const text = headText(context, head, String(redacted.length));
  context.onResponseBegins();
  audit.responseBytes = redacted.length;
  // As one string where that is cheaper than a copy.
  return redacted.length <= shortBodyBytesMax
    ? guest.write(text + redacted.toString("latin1"))
    : guest.write(Buffer.concat([Buffer.from(text, "latin1"), redacted]));
}

const lengthDelimited: StreamedResponse = { closeDelimited: false };

function relayedWhole({ guest }: ResponseContext): StreamedResponse {
  if (!guest.writable) throw new ChannelLostError("the guest closed the connection");
  return lengthDelimited;
}

function oneTime(whole: Buffer) {
  let left: readonly Buffer[] | null = [whole];
  return {
    read: () => {
      const data = left;
      left = null;
      return Promise.resolve(data);
    },
  };
}

function headText(
  context: ResponseContext,
  head: ResponseHead,
  contentLength: string | undefined,
): string {
  return responseHeadText(
    head,
    { contentLength, chunked: false, close: context.close, decoded: false },
    context.audit.seen,
  );
}

/** Events are passed on one by one, whatever length is declared. */
function isEventStream(head: ResponseHead): boolean {
  return fieldValues(head.fields, "content-type").some((value) =>
    value.toLowerCase().startsWith("text/event-stream"),
  );
}
