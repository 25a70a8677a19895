import { decoderBytesMax } from "../../content-coding/create-decoder.ts";
import { ContentDecodingError, decodeBody } from "../../content-coding/decode-body.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import { askForBody } from "../guest/guest-side.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import { takeBudget } from "../state/body-reservation.ts";
import type { Exchange } from "../state/exchange.ts";
import { CompressedSearch } from "./compressed-search.ts";
import {
  measured,
  type OutgoingBody,
  type StreamedBody,
  streamed,
  substituterFor,
} from "./outgoing-body.ts";

/**
 * Decodes a compressed body in which tokens may become values. If one does, the
 * body is sent decoded: it is never compressed again, because its length would
 * depend on the value. Otherwise it is sent as it came, and so is one that does
 * not decode, or is longer than what is collected.
 *
 * @throws {HttpSyntaxError} for the guest's framing
 * @throws {ChannelLostError}
 */
export async function prepareCompressed(
  exchange: Exchange,
  request: OutgoingRequest,
  body: IncomingBody,
): Promise<OutgoingBody> {
  if (!mayDecode(exchange, request) || !mayCollect(exchange, request)) {
    return passCompressed(exchange, request);
  }
  askForBody(exchange.connection.guest, request.expect);
  const compressed = await collect(exchange, request, body);
  const whole = body.complete ? await decode(exchange, request, compressed) : undefined;
  if (whole === undefined) return await passCollected(exchange, request, compressed);
  const { audit, deps } = exchange;
  const hasMembers = whole.length <= deps.options.measuredBodyBytesMax;
  const substituter = substituterFor(request, audit.seen, hasMembers ? whole : undefined);
  const substituted = [...substituter.push(whole), ...substituter.end()];
  const parts = substituter.hasSubstituted ? substituted : compressed;
  const head = substituter.hasSubstituted ? withoutCoding(request) : request.head;
  if (request.framing.kind === "length") return measured({ head }, parts);
  return { ...asItCame(exchange, request), head, expect: undefined, beginning: parts };
}

/** Passes a compressed body on as it arrives, and looks for tokens in it. */
export function passCompressed(exchange: Exchange, request: OutgoingRequest): StreamedBody {
  const { audit, deps } = exchange;
  const body = asItCame(exchange, request);
  if (!mayDecode(exchange, request)) {
    audit.unsearched(
      "the sandbox has too many bodies under way: a compressed request body was not searched for tokens",
    );
    return body;
  }
  const compressedSearch = new CompressedSearch(
    request.bodyCompressions,
    request.tokens,
    audit,
    deps.options.searchedDecodedBytesMax,
  );
  return { ...body, compressedSearch };
}

/** The same for a body of which this much was read before. */
async function passCollected(
  exchange: Exchange,
  request: OutgoingRequest,
  parts: readonly Buffer[],
): Promise<StreamedBody> {
  const body = passCompressed(exchange, request);
  const beginning: Buffer[] = [];
  for (const part of parts) {
    await body.compressedSearch?.push(part);
    beginning.push(...(body.substituter?.push(part) ?? [part]));
  }
  return { ...body, expect: undefined, beginning };
}

/** A body whose bytes pass as they are; tokens that they show are noted. */
function asItCame({ audit }: Exchange, request: OutgoingRequest): StreamedBody {
  return streamed({ ...request, bodyForm: undefined, changesBody: false }, audit.seen);
}

/** Takes the memory of the decoders from the sandbox's budget; once for an exchange. */
function mayDecode(exchange: Exchange, { bodyCompressions }: OutgoingRequest): boolean {
  let bytes = 0;
  for (const compression of bodyCompressions) bytes += decoderBytesMax[compression];
  return exchange.reservedBytes >= bytes || takeBudget(exchange, bytes);
}

/** Whether the body may be collected, as far as its declared length tells. */
function mayCollect(exchange: Exchange, { framing }: OutgoingRequest): boolean {
  return framing.kind !== "length" || framing.length <= exchange.deps.options.measuredTextBytesMax;
}

/** Reads the body to its end, or until it is longer than what may be collected. */
async function collect(
  exchange: Exchange,
  { framing }: OutgoingRequest,
  body: IncomingBody,
): Promise<readonly Buffer[]> {
  const parts: Buffer[] = [];
  const bytesMax = exchange.deps.options.measuredTextBytesMax;
  let isWithin = framing.kind !== "length" || takeBudget(exchange, framing.length);
  while (isWithin && !body.complete) {
    for (const part of (await body.read()) ?? []) {
      parts.push(part);
      if (framing.kind !== "length" && !takeBudget(exchange, part.length)) isWithin = false;
    }
    if (body.bytes > bytesMax) isWithin = false;
  }
  return parts;
}

/** Resolves to what the body decodes to; undefined when it does not, or to too much. */
async function decode(
  exchange: Exchange,
  { bodyCompressions }: OutgoingRequest,
  compressed: readonly Buffer[],
): Promise<Buffer | undefined> {
  const data: (readonly Buffer[])[] = [compressed];
  const source = { read: async () => data.shift() ?? null };
  const bytesMax = exchange.deps.options.measuredTextBytesMax;
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of decodeBody(source, bodyCompressions)) {
      bytes += part.length;
      if (bytes > bytesMax || !takeBudget(exchange, part.length)) return undefined;
      parts.push(part);
    }
  } catch (error) {
    // What it is not valid in is found once more, and audited, as it is passed on.
    if (error instanceof ContentDecodingError) return undefined;
    throw error;
  }
  return Buffer.concat(parts);
}

function withoutCoding({ head }: OutgoingRequest): OutgoingRequest["head"] {
  return {
    ...head,
    fields: head.fields.filter(({ lowerName }) => lowerName !== "content-encoding"),
  };
}
