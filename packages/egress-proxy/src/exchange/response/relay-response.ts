import { ChannelLostError } from "../../http/channel-lost-error.ts";
import { fieldValues } from "../../http/fields.ts";
import { type IncomingBody, readWhole } from "../../http/incoming-body.ts";
import type { Framing, ResponseHead } from "../../http/message-heads.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import { redactFieldLine } from "../../redaction/redact-head.ts";
import { redactWhole } from "../../redaction/stream-redactor.ts";
import { grpcFraming } from "../grpc/grpc-content.ts";
import { PacedBody } from "../state/paced-body.ts";
import { compressionOf } from "./compressed-passage.ts";
import { compressionsOf } from "./content-decoding.ts";
import { outgoingResponse } from "./outgoing-response.ts";
import {
  relayCompressed,
  relayDecoded,
  relayGrpc,
  relaySearched,
  relayUnsearched,
} from "./relay-body.ts";
import { refuseOtherCharset } from "./response-charset.ts";
import type { ResponseContext, StreamedResponse } from "./response-context.ts";

/**
 * Passes a final response on to the guest, with tokens in place of values.
 * Its head is already redacted. Returns whether the guest's connection may
 * carry another exchange, without a promise where the response was written at once.
 *
 * @throws {HttpSyntaxError} for what the upstream sent
 * @throws {ChannelLostError} for either side
 * @throws {Refusal} for a body in which values cannot be seen
 */
export function relayResponse(
  context: ResponseContext,
  head: ResponseHead,
): boolean | Promise<boolean> {
  const { request, upstream } = context;
  const { framing, body: received } = upstream.readBody(
    head,
    request.head.method,
    trailerReader(context),
  );
  context.audit.status = head.status;
  const relayed =
    framing.kind === "none"
      ? relayBodiless(context, head)
      : relayBody(
          context,
          head,
          framing,
          new PacedBody(received, context.turns, request.policy.sandboxId),
        );
  const mayContinue = (streamed: StreamedResponse) => !context.close && !streamed.closeDelimited;
  return relayed instanceof Promise ? relayed.then(mayContinue) : mayContinue(relayed);
}

function trailerReader({ search, audit }: ResponseContext): (line: string) => string {
  return (line) => redactFieldLine(line, search(), (name) => audit.seen.note("redacted", name));
}

function relayBodiless(context: ResponseContext, head: ResponseHead): StreamedResponse {
  const [declared] = fieldValues(head.fields, "content-length");
  const describesOther = context.request.head.method === "HEAD" || head.status === 304;
  const contentLength = describesOther ? declared : head.status === 204 ? undefined : "0";
  context.onResponseBegins();
  context.guest.sendBodiless(headOf(context, head, contentLength));
  return { closeDelimited: false };
}

function relayBody(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: IncomingBody,
): StreamedResponse | Promise<StreamedResponse> {
  if (context.search() === undefined) return relayUnsearched(context, head, framing, body);
  refuseOtherCharset(head, context.host);
  const compressions = compressionsOf(head, context.host);
  if (compressions.length > 0) {
    return relayDecoded(context, head, compressions, body);
  }
  const messages = context.request.isGrpc ? grpcFraming(head.fields) : undefined;
  if (messages !== undefined) return relayGrpc(context, head, framing, messages, body);
  return isCollected(context, head, framing)
    ? relayCollected(context, head, framing, body)
    : relaySearched(context, head, framing, body);
}

/** Whether a body is collected, so that it has a Content-Length after it was changed. */
function isCollected(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
): framing is Extract<Framing, { kind: "length" }> {
  if (framing.kind !== "length" || framing.length > context.measuredBodyBytesMax) return false;
  return !isEventStream(head) && context.budget.tryTake(framing.length);
}

/** Synchronous where all of the body has arrived and the guest accepts it: most responses are short. */
function relayCollected(
  context: ResponseContext,
  head: ResponseHead,
  framing: Extract<Framing, { kind: "length" }>,
  body: IncomingBody,
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
  body: IncomingBody,
  taken: Buffer | undefined,
): Promise<StreamedResponse> {
  try {
    const whole = taken ?? (await readWhole(body));
    const compression = compressionOf(whole);
    if (compression !== undefined) {
      const source = { beginning: whole, ...oneTime(whole) };
      return await relayCompressed(context, head, framing, compression, source);
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

/** Writes the head and all of the body at once. Returns a promise when the caller has to wait for the guest. */
function writeWhole(
  context: ResponseContext,
  head: ResponseHead,
  whole: Buffer,
): Promise<void> | undefined {
  const { guest, audit } = context;
  const redacted = redactWhole(whole, context.search(), (name) =>
    audit.seen.note("redacted", name),
  );
  const outgoing = headOf(context, head, String(redacted.length));
  context.onResponseBegins();
  audit.responseBytes = redacted.length;
  return guest.sendWhole(outgoing, redacted);
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

function headOf(
  context: ResponseContext,
  head: ResponseHead,
  contentLength: string | undefined,
): OutgoingResponseHead {
  return outgoingResponse(
    head,
    { contentLength, chunked: false, close: context.close, decoded: false },
    context.audit.seen,
  );
}

/** Whether the body is events, which are passed on one by one even if a length is declared. */
function isEventStream(head: ResponseHead): boolean {
  return fieldValues(head.fields, "content-type").some((value) =>
    value.toLowerCase().startsWith("text/event-stream"),
  );
}
