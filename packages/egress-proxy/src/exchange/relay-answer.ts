import { BodyReader, readWhole } from "../http1/body-reader.ts";
import { BodyWriter } from "../http1/body-writer.ts";
import { type ByteChannel, ChannelLostError } from "../http1/byte-channel.ts";
import { type Field, fieldValues } from "../http1/fields.ts";
import { connectionOptions } from "../http1/hop-by-hop.ts";
import { type Framing, responseFraming } from "../http1/message-framing.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { Resealer, resealText } from "../substitution/resealer.ts";
import type { ValueMatcher } from "../substitution/value-matcher.ts";
import { type AnswerHead, answerHeadText } from "./answer-head.ts";
import type { AuditRecord } from "./audit-record.ts";
import { type BodySource, contentCodingOf, decodedBody } from "./content-decoding.ts";
import type { MeasuredBodyBudget } from "./measured-body-budget.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

export interface AnswerContext {
  readonly guest: ByteChannel;
  readonly upstream: ByteChannel;
  readonly request: OutgoingRequest;
  readonly host: string;
  readonly audit: AuditRecord;
  readonly budget: MeasuredBodyBudget;
  readonly measuredBodyBytesMax: number;
  /** Whether the guest understands chunked bodies. */
  readonly guestTakesChunked: boolean;
  /** Whether the guest's connection ends after this answer in any case. */
  readonly close: boolean;
  /** Called when the first octet of the answer is about to go to the guest. */
  onAnswerBegins(): void;
}

const shortBodyOctetsMax = 4096;

interface StreamedAnswer {
  /** Only the close of the guest's connection tells the end. */
  readonly closeDelimited: boolean;
  /** The decoded content ended before the body did. */
  readonly leftover: boolean;
}

export interface RelayedAnswer {
  readonly guestMayContinue: boolean;
  readonly upstreamMayContinue: boolean;
}

/**
 * Passes a final answer on to the guest, values sealed again.
 *
 * @throws {HttpSyntaxError} for what the upstream sent
 * @throws {ChannelLostError} for either side
 * @throws {Refusal} for a content coding that hides values
 */
export async function relayAnswer(
  context: AnswerContext,
  answer: AnswerHead,
): Promise<RelayedAnswer> {
  const { head } = answer;
  const framing = responseFraming(head, context.request.method);
  const upstreamPersists =
    head.minorVersion === 1 &&
    framing.kind !== "until_close" &&
    !connectionOptions(head.fields).has("close");
  context.audit.status = head.status;
  let streamed: StreamedAnswer | undefined;
  if (framing.kind === "none") relayBodiless(context, answer);
  else if (!(await relayMeasured(context, answer, framing))) {
    streamed = await relayStreamed(context, answer, framing);
  }
  return {
    guestMayContinue: !context.close && streamed?.closeDelimited !== true,
    upstreamMayContinue: upstreamPersists && streamed?.leftover !== true && context.upstream.quiet,
  };
}

function relayBodiless(context: AnswerContext, answer: AnswerHead): void {
  const { head } = answer;
  const [declared] = fieldValues(head.fields, "content-length");
  const describesOther = context.request.method === "HEAD" || head.status === 304;
  const contentLength = describesOther ? declared : head.status === 204 ? undefined : "0";
  context.onAnswerBegins();
  context.guest.write(headText(context, answer, { contentLength }));
}

/** Collects a small answer, so that it keeps a Content-Length. False when it has to be streamed. */
async function relayMeasured(
  context: AnswerContext,
  answer: AnswerHead,
  framing: Framing,
): Promise<boolean> {
  const { matcher } = context.request;
  if (matcher === undefined || framing.kind !== "length") return false;
  if (framing.length > context.measuredBodyBytesMax || isEventStream(answer.head)) return false;
  if (contentCodingOf(answer.head, context.host) !== undefined) return false;
  if (!context.budget.tryTake(framing.length)) return false;
  try {
    const whole =
      context.upstream.takeExactly(framing.length) ??
      (await readWhole(new BodyReader(context.upstream, framing)));
    const parts = new Resealer(matcher, context.audit.seen).whole(whole);
    let octets = 0;
    for (const part of parts) octets += part.length;
    const head = headText(context, answer, { contentLength: String(octets) });
    context.onAnswerBegins();
    context.audit.responseBytes = octets;
    const blocked = writeTogether(context.guest, head, parts);
    if (blocked !== undefined) await blocked;
    if (!context.guest.writable) throw new ChannelLostError("the guest closed the connection");
    return true;
  } finally {
    context.budget.give(framing.length);
  }
}

/** Writes a head and its body in one go: as one string where that is cheaper than a copy. */
function writeTogether(
  guest: ByteChannel,
  head: string,
  parts: readonly Buffer[],
): Promise<void> | undefined {
  const [only] = parts;
  return parts.length === 1 && only !== undefined && only.length <= shortBodyOctetsMax
    ? guest.write(head + only.toString("latin1"))
    : guest.write(Buffer.concat([Buffer.from(head, "latin1"), ...parts]));
}

/** Passes a body on as it arrives. */
async function relayStreamed(
  context: AnswerContext,
  answer: AnswerHead,
  framing: Framing,
): Promise<StreamedAnswer> {
  const { guest, request, audit } = context;
  const { matcher } = request;
  const coding = matcher === undefined ? undefined : contentCodingOf(answer.head, context.host);
  const length = matcher === undefined && framing.kind === "length" ? framing.length : undefined;
  const chunked = length === undefined && context.guestTakesChunked;
  const closeDelimited = length === undefined && !chunked;
  const body = new BodyReader(context.upstream, framing);
  const source = coding === undefined ? body : decodedBody(body, coding);
  const writer = new BodyWriter(guest, chunked ? "chunked" : "raw");

  context.onAnswerBegins();
  guest.corkForThisTurn();
  guest.write(
    headText(context, answer, {
      contentLength: length === undefined ? undefined : String(length),
      chunked,
      close: closeDelimited,
      decoded: coding !== undefined,
    }),
  );
  try {
    await passBody(
      guest,
      source,
      writer,
      matcher === undefined ? undefined : new Resealer(matcher, audit.seen),
    );
  } finally {
    audit.responseBytes = writer.octets;
  }
  const blocked = writer.end(sealedTrailers(context, body.trailers, matcher));
  if (blocked !== undefined) await blocked;
  return { closeDelimited, leftover: !body.complete };
}

async function passBody(
  guest: ByteChannel,
  source: BodySource,
  writer: BodyWriter,
  resealer: Resealer | undefined,
): Promise<void> {
  for (;;) {
    const data = await source.read();
    if (data === null) break;
    if (data.length > 1) guest.corkForThisTurn();
    for (const part of data) {
      for (const piece of resealer === undefined ? [part] : resealer.push(part)) {
        const blocked = writer.write(piece);
        if (blocked !== undefined) await blocked;
        if (!guest.writable) throw new ChannelLostError("the guest closed the connection");
      }
    }
  }
  if (resealer !== undefined) for (const piece of resealer.end()) writer.write(piece);
}

function sealedTrailers(
  context: AnswerContext,
  trailers: readonly Field[],
  matcher: ValueMatcher | undefined,
): readonly Field[] {
  if (matcher === undefined) return trailers;
  const { seen } = context.audit;
  return trailers.map((field) => ({ ...field, value: resealText(field.value, matcher, seen) }));
}

function headText(
  context: AnswerContext,
  answer: AnswerHead,
  framing: {
    contentLength: string | undefined;
    chunked?: boolean;
    close?: boolean;
    decoded?: boolean;
  },
): string {
  return answerHeadText(
    answer,
    {
      contentLength: framing.contentLength,
      chunked: framing.chunked ?? false,
      close: context.close || (framing.close ?? false),
      decoded: framing.decoded ?? false,
    },
    context.request.matcher,
    context.audit.seen,
  );
}

function isEventStream(head: ResponseHead): boolean {
  return fieldValues(head.fields, "content-type").some((value) =>
    value.toLowerCase().startsWith("text/event-stream"),
  );
}
