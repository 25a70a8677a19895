import { type Compression, decoderBytesMaxOf } from "../../content-coding/create-decoder.ts";
import type { BodySource } from "../../content-coding/decode-body.ts";
import { type IncomingBody, joined } from "../../http/incoming-body.ts";
import type { Framing, ResponseHead } from "../../http/message-heads.ts";
import { redactWhole, StreamRedactor } from "../../redaction/stream-redactor.ts";
import { workOfMessages } from "../../turns/fair-turns.ts";
import { Refusal } from "../failure/refusal.ts";
import { grpcStatusFields } from "../grpc/grpc-status.ts";
import { pacedSource } from "../state/paced-body.ts";
import { type BodyWithBeginning, partsOf, readBeginning } from "./body-parts.ts";
import { CompressedPassage, compressionOf, mayBeCompressed } from "./compressed-passage.ts";
import { decodedBody, isEncoded } from "./content-decoding.ts";
import { DecoderReservation } from "./decoder-reservation.ts";
import { GrpcMessages } from "./grpc-messages.ts";
import { beginBody, finishBody, passOn, writeBody } from "./outgoing-body.ts";
import { isInOtherCharset } from "./response-charset.ts";
import type { ResponseContext, StreamedResponse } from "./response-context.ts";

/**
 * Decoded data is sent in parts of this size: how much of it one arrival
 * decodes to depends on the text next to it in the compressed data.
 */
const decodedPartBytes = 1024 * 1024;
/** The same when the sandbox's budget for collected bodies is exhausted. */
const smallDecodedPartBytes = 64 * 1024;

/**
 * Passes a body on as it arrives, when there is nothing to search for yet. A
 * value that is set meanwhile is searched for from then on; where its token
 * would not fit the declared length, or the body is compressed, the response
 * breaks off.
 */
export async function relayUnsearched(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: IncomingBody,
): Promise<StreamedResponse> {
  const length = framing.kind === "length" ? framing.length : undefined;
  const isHiding = isEncoded(head) || isInOtherCharset(head);
  const outgoing = beginBody(context, head, length);
  let holdsValue = false;
  const redactor = new StreamRedactor(context.search, (name) => {
    holdsValue = length !== undefined;
    noteRedacted(context)(name);
  });
  const checked = (leaving: readonly Buffer[]): readonly Buffer[] => {
    const isHidden = isHiding && context.search() !== undefined;
    if (holdsValue || isHidden) throw setMeanwhile(context.host);
    return leaving;
  };
  await passOn(context, outgoing.writer, async () => {
    const data = await body.read();
    return data === null ? null : checked(data.flatMap((part) => redactor.push(part)));
  });
  await writeBody(context, outgoing.writer, checked(redactor.end()));
  await finishBody(outgoing, body.trailers);
  return outgoing;
}

function setMeanwhile(host: string): Refusal {
  return new Refusal(
    "value_in_compressed_body",
    `A secret was set while ${host} responded with a body in which its value cannot be redacted; the rest is not passed on`,
    { wasAllowed: true },
  );
}

/** Passes a body on as it arrives, with tokens in place of values. */
export async function relaySearched(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: IncomingBody,
): Promise<StreamedResponse> {
  const source = await readBeginning(body, mayBeCompressed);
  const compression = compressionOf(source.beginning);
  if (compression !== undefined) {
    return await relayCompressed(context, head, framing, compression, source);
  }
  const outgoing = beginBody(context, head, undefined);
  const redactor = new StreamRedactor(context.search, noteRedacted(context));
  await passOn(context, outgoing.writer, async () => {
    const data = await source.read();
    return data === null ? null : redactor.push(joined(data));
  });
  await writeBody(context, outgoing.writer, redactor.end());
  await finishBody(outgoing, body.trailers);
  return outgoing;
}

/** Passes a compressed body on decoded, in parts that depend on its length alone. */
export async function relayDecoded(
  context: ResponseContext,
  head: ResponseHead,
  compressions: readonly Compression[],
  body: BodySource,
): Promise<StreamedResponse> {
  const compressed = await readBeginning(body, (beginning) => beginning.length === 0);
  const decoders = new DecoderReservation(context.decoderBudget, context.host);
  decoders.raise(decoderBytesMaxOf(compressions, compressed.beginning));
  const source = decodedBody(compressed, compressions, context.host);
  const isBudgeted = context.budget.tryTake(decodedPartBytes);
  const partBytes = isBudgeted ? decodedPartBytes : smallDecodedPartBytes;
  const parts = partsOf(
    pacedSource(source, context.turns, context.request.policy.sandboxId),
    partBytes,
  );
  try {
    const first = await parts.next();
    const whole = first.done === true ? Buffer.alloc(0) : first.value;
    if (whole.length < partBytes) {
      const redacted = redactWhole(whole, context.search(), noteRedacted(context));
      const outgoing = beginBody(context, head, redacted.length, true);
      await writeBody(context, outgoing.writer, [redacted]);
      await finishBody(outgoing, []);
      return outgoing;
    }
    const outgoing = beginBody(context, head, undefined, true);
    const redactor = new StreamRedactor(context.search, noteRedacted(context));
    await writeBody(context, outgoing.writer, redactor.push(whole));
    await passOn(context, outgoing.writer, async () => {
      const next = await parts.next();
      return next.done === true ? null : redactor.push(next.value);
    });
    await writeBody(context, outgoing.writer, redactor.end());
    await finishBody(outgoing, []);
    return outgoing;
  } finally {
    await parts.return(undefined);
    await source.close();
    decoders.release();
    if (isBudgeted) context.budget.give(decodedPartBytes);
  }
}

/** Passes a compressed body without a Content-Encoding on unchanged, once it was searched. */
export async function relayCompressed(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  compression: Compression,
  source: BodyWithBeginning,
): Promise<StreamedResponse> {
  const { host, search, decoderBudget } = context;
  const decoders = new DecoderReservation(decoderBudget, host);
  let passage: CompressedPassage | undefined;
  try {
    passage = new CompressedPassage(
      { compression, beginning: source.beginning, decoders },
      host,
      search,
      noteRedacted(context),
    );
    // The head waits for the first part, so that a short body can be refused with a response.
    let leaving = await passage.next(source);
    while (leaving?.length === 0) leaving = await passage.next(source);
    const length = framing.kind === "length" ? framing.length : undefined;
    const outgoing = beginBody(context, head, length);
    while (leaving !== null) {
      await writeBody(context, outgoing.writer, leaving);
      leaving = await passage.next(source);
    }
    await finishBody(outgoing, []);
    return outgoing;
  } finally {
    passage?.close();
    decoders.release();
  }
}

/**
 * Passes the messages of gRPC on as they arrive. A response that cannot be passed
 * on ends with a status, where the guest takes trailers: gRPC clients show it.
 */
export async function relayGrpc(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  messageFraming: "grpc" | "grpc-web",
  body: IncomingBody,
): Promise<StreamedResponse> {
  const { host, search, audit, turns, request } = context;
  const messages = new GrpcMessages(messageFraming, host, search, noteRedacted(context));
  const length = framing.kind === "length" ? framing.length : undefined;
  const outgoing = beginBody(context, head, length);
  try {
    await passOn(context, outgoing.writer, async () => {
      const data = await body.read();
      if (data === null) return null;
      const before = messages.count;
      const leaving = data.flatMap((part) => messages.push(part));
      const work = workOfMessages("grpc", messages.count - before);
      turns.charge(request.policy.sandboxId, work);
      return leaving;
    });
    await writeBody(context, outgoing.writer, messages.end());
    await finishBody(outgoing, body.trailers);
  } catch (error) {
    if (!(error instanceof Refusal) || messageFraming !== "grpc" || length !== undefined)
      throw error;
    audit.failed(error.message);
    await finishBody(outgoing, grpcStatusFields(error));
  }
  return outgoing;
}

function noteRedacted({ audit }: ResponseContext): (name: string) => void {
  return (name) => audit.seen.note("redacted", name);
}
