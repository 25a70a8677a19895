import type { BodyReader } from "../http1/body-reader.ts";
import { BodyWriter } from "../http1/body-writer.ts";
import { ChannelLostError } from "../http1/byte-channel.ts";
import { type Field, fieldValues } from "../http1/fields.ts";
import type { Framing } from "../http1/message-framing.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { redactWhole, StreamRedactor } from "../redaction/stream-redactor.ts";
import { CompressedPassage, compressionOf, mayBeCompressed } from "./compressed-passage.ts";
import type { BodySource, ContentCoding } from "./content-decoding.ts";
import { Refusal } from "./refusal.ts";
import type { ResponseContext, StreamedResponse } from "./relay-response.ts";
import { responseHeadText } from "./response-head-text.ts";

/**
 * What was decoded leaves in parts of this size: how much of it an arrival
 * decodes to depends on what stands beside the text in the compressed data.
 */
const decodedPartBytes = 1024 * 1024;
/** The same where the sandbox's budget for collected bodies is used up. */
const smallDecodedPartBytes = 64 * 1024;

/**
 * Passes a body on as it arrives, where nothing is searched for yet. A value
 * may be set meanwhile: from then on it is searched for, and where its token
 * would not fit the length that has been declared, or the body is compressed,
 * the response breaks off.
 */
export async function relayUnsearched(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: BodyReader,
): Promise<StreamedResponse> {
  const length = framing.kind === "length" ? framing.length : undefined;
  const isCompressed = fieldValues(head.fields, "content-encoding").length > 0;
  const outgoing = begin(context, head, length);
  let holdsValue = false;
  const redactor = new StreamRedactor(context.search, (name) => {
    holdsValue = length !== undefined;
    noteRedacted(context)(name);
  });
  const checked = (leaving: readonly Buffer[]): readonly Buffer[] => {
    const isHidden = isCompressed && context.search() !== undefined;
    if (holdsValue || isHidden) throw setMeanwhile(context.host);
    return leaving;
  };
  await passOn(context, outgoing.writer, async () => {
    const data = await body.read();
    return data === null ? null : checked(data.flatMap((part) => redactor.push(part)));
  });
  await write(context, outgoing.writer, checked(redactor.end()));
  await finish(outgoing, body.trailers);
  return outgoing;
}

function setMeanwhile(host: string): Refusal {
  return new Refusal(
    "value_in_compressed_body",
    `A secret was set while ${host} responded with a body in which its value cannot be redacted; the rest is not passed on`,
    { wasAllowed: true },
  );
}

/** Passes a body on as it arrives, with tokens in the place of values. */
export async function relaySearched(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  body: BodyReader,
): Promise<StreamedResponse> {
  const { beginning, source } = await readBeginning(body);
  const compression = compressionOf(beginning);
  if (compression !== undefined) {
    return await relayCompressed(context, head, framing, compression, source);
  }
  const outgoing = begin(context, head, undefined);
  const redactor = new StreamRedactor(context.search, noteRedacted(context));
  await passOn(context, outgoing.writer, async () => {
    const data = await source.read();
    return data === null ? null : redactor.push(joined(data));
  });
  await write(context, outgoing.writer, redactor.end());
  await finish(outgoing, body.trailers);
  return outgoing;
}

/** Passes a body that was compressed on as it reads, in parts that depend on its length alone. */
export async function relayDecoded(
  context: ResponseContext,
  head: ResponseHead,
  source: BodySource,
): Promise<StreamedResponse> {
  const isBudgeted = context.budget.tryTake(decodedPartBytes);
  const partBytes = isBudgeted ? decodedPartBytes : smallDecodedPartBytes;
  const parts = partsOf(source, partBytes);
  try {
    const first = await parts.next();
    const whole = first.done === true ? Buffer.alloc(0) : first.value;
    if (whole.length < partBytes) {
      const redacted = redactWhole(whole, context.search(), noteRedacted(context));
      const outgoing = begin(context, head, redacted.length, true);
      await write(context, outgoing.writer, [redacted]);
      await finish(outgoing, []);
      return outgoing;
    }
    const outgoing = begin(context, head, undefined, true);
    const redactor = new StreamRedactor(context.search, noteRedacted(context));
    await write(context, outgoing.writer, redactor.push(whole));
    await passOn(context, outgoing.writer, async () => {
      const next = await parts.next();
      return next.done === true ? null : redactor.push(next.value);
    });
    await write(context, outgoing.writer, redactor.end());
    await finish(outgoing, []);
    return outgoing;
  } finally {
    await parts.return(undefined);
    if (isBudgeted) context.budget.give(decodedPartBytes);
  }
}

/** Passes a compressed body that names no coding on as it came, once it has been searched. */
export async function relayCompressed(
  context: ResponseContext,
  head: ResponseHead,
  framing: Framing,
  compression: ContentCoding,
  source: BodySource,
): Promise<StreamedResponse> {
  const { host, search } = context;
  const passage = new CompressedPassage(compression, host, search, noteRedacted(context));
  try {
    // The head waits until something leaves, so that a short body is refused with a response.
    let leaving = await passage.next(source);
    while (leaving?.length === 0) leaving = await passage.next(source);
    const length = framing.kind === "length" ? framing.length : undefined;
    const outgoing = begin(context, head, length);
    while (leaving !== null) {
      await write(context, outgoing.writer, leaving);
      leaving = await passage.next(source);
    }
    await finish(outgoing, []);
    return outgoing;
  } finally {
    passage.close();
  }
}

interface OutgoingBody extends StreamedResponse {
  readonly writer: BodyWriter;
  readonly context: ResponseContext;
}

function begin(
  context: ResponseContext,
  head: ResponseHead,
  length: number | undefined,
  decoded = false,
): OutgoingBody {
  const { guest, audit } = context;
  const chunked = length === undefined && context.guestTakesChunked;
  const closeDelimited = length === undefined && !chunked;
  context.onResponseBegins();
  guest.corkForThisTurn();
  guest.write(
    responseHeadText(
      head,
      {
        contentLength: length === undefined ? undefined : String(length),
        chunked,
        close: context.close || closeDelimited,
        decoded,
      },
      audit.seen,
    ),
  );
  return { writer: new BodyWriter(guest, chunked ? "chunked" : "raw"), closeDelimited, context };
}

async function passOn(
  context: ResponseContext,
  writer: BodyWriter,
  next: () => Promise<readonly Buffer[] | null>,
): Promise<void> {
  for (;;) {
    const data = await next();
    if (data === null) return;
    await write(context, writer, data);
  }
}

/** Writes what leaves at one time as one chunk, so that chunks show nothing of what is in them. */
async function write(
  context: ResponseContext,
  writer: BodyWriter,
  data: readonly Buffer[],
): Promise<void> {
  const blocked = writer.writeTogether(data);
  context.audit.responseBytes = writer.octets;
  if (blocked !== undefined) await blocked;
  if (!context.guest.writable) throw new ChannelLostError("the guest closed the connection");
}

async function finish({ writer }: OutgoingBody, trailers: readonly Field[]): Promise<void> {
  const blocked = writer.end(trailers);
  if (blocked !== undefined) await blocked;
}

/** Reads as much as it takes to tell whether the body is compressed; the source gives it again. */
async function readBeginning(body: BodySource): Promise<{ beginning: Buffer; source: BodySource }> {
  let beginning: Buffer = Buffer.alloc(0);
  while (mayBeCompressed(beginning)) {
    const data = await body.read();
    if (data === null) break;
    beginning = joined([beginning, ...data]);
  }
  let pending: Buffer | undefined = beginning;
  const source: BodySource = {
    async read() {
      const data = pending;
      pending = undefined;
      return data === undefined || data.length === 0 ? await body.read() : [data];
    },
  };
  return { beginning, source };
}

/** The data in parts of exactly this size; the last one is shorter, and may be empty. */
async function* partsOf(source: BodySource, partBytes: number): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const data = await source.read();
    if (data === null) break;
    for (const part of data) {
      waiting.push(part);
      bytes += part.length;
      while (bytes >= partBytes) {
        const all = joined(waiting);
        yield all.subarray(0, partBytes);
        waiting = [all.subarray(partBytes)];
        bytes -= partBytes;
      }
    }
  }
  yield joined(waiting);
}

function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

function noteRedacted({ audit }: ResponseContext): (name: string) => void {
  return (name) => audit.seen.note("redacted", name);
}
