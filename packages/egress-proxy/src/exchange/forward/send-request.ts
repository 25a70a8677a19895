import type { BodySink } from "../../http/body-sink.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import type { BodySubstituter } from "../../token-substitution/substitute-body.ts";
import { noteTrailers } from "../../token-substitution/substitute-header.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import type { Sending } from "../state/exchange.ts";
import type { UpstreamSide } from "../upstream/upstream-side.ts";
import { type MeasuredBody, type StreamedBody, substituterFor } from "./outgoing-body.ts";

const singleWriteBytesMax = 64 * 1024;

/** Sends a request without a body, or with one that was measured. It can be sent again. */
export function sendMeasured(
  upstream: UpstreamSide,
  request: OutgoingRequest,
  body: MeasuredBody | undefined,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  if (body === undefined || body.bytes === 0) {
    const declaresEmptyBody = body !== undefined || request.declaresEmptyBody;
    upstream.sendBodiless(body?.head ?? request.head, declaresEmptyBody);
    sending.complete = true;
  } else if (body.bytes <= singleWriteBytesMax) {
    upstream.sendWhole(body.head, body.parts, body.bytes);
    sending.complete = true;
  } else {
    const writer = upstream.begin(body.head, { length: body.bytes, expect: undefined });
    void track(sending, upstream, () => writeParts(upstream, writer, body.parts));
  }
  return sending;
}

/** Begins to send a request whose body is passed on as it arrives. */
export function sendStreamed(
  upstream: UpstreamSide,
  request: OutgoingRequest,
  streamed: StreamedBody,
  body: IncomingBody,
  seen: SeenSecrets,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  const { length, expect, compressedSearch } = streamed;
  const writer = upstream.begin(streamed.head, { length, expect });
  void track(sending, upstream, async () => {
    try {
      return await passBody(upstream, writer, request, streamed, body, seen);
    } finally {
      compressedSearch?.close();
    }
  });
  return sending;
}

async function track(
  sending: Sending,
  upstream: UpstreamSide,
  send: () => Promise<boolean>,
): Promise<void> {
  try {
    sending.complete = await send();
  } catch (error) {
    sending.failure = error;
    upstream.destroy();
  }
}

async function writeParts(
  upstream: UpstreamSide,
  writer: BodySink,
  parts: readonly Buffer[],
): Promise<boolean> {
  for (const part of parts) {
    const blocked = writer.write(part);
    if (blocked !== undefined) await blocked;
    if (!upstream.writable) return false;
  }
  writer.end([]);
  return true;
}

/** Resolves to whether all of the body was sent; the upstream may close before that. */
async function passBody(
  upstream: UpstreamSide,
  writer: BodySink,
  request: OutgoingRequest,
  { beginning, substituter, chunks, compressedSearch, collectedBytesMax }: StreamedBody,
  body: IncomingBody,
  seen: SeenSecrets,
): Promise<boolean> {
  const finishSearch = async () => {
    // The upstream responds once it has the last bytes, and the response and the audit name what was found.
    if (body.complete) await compressedSearch?.end();
  };
  await finishSearch();
  for (const part of beginning) {
    if (!(await passPart(upstream, writer, undefined, part))) return false;
  }
  const { parts, whole } = await collectBody(body, collectedBytesMax);
  const withMembers = whole === undefined ? substituter : substituterFor(request, seen, whole);
  const transform = chunks ?? (withMembers && transformFor(request, withMembers));
  let data: readonly Buffer[] | null = parts;
  while (data !== null) {
    if (compressedSearch !== undefined) {
      for (const part of data) await compressedSearch.push(part);
      await finishSearch();
    }
    for (const part of data) {
      if (!(await passPart(upstream, writer, transform, part))) return false;
    }
    data = await body.read();
  }
  if (transform !== undefined) for (const piece of transform.end()) writer.write(piece);
  noteTrailers(body.trailers, request.tokens, seen);
  await finishSearch();
  if (!upstream.writable) return false;
  writer.end(body.trailers);
  return true;
}

/**
 * Reads a body of unknown length to its end, or until it is longer than
 * `bytesMax`. `whole` is all of it, where it is no longer than that.
 */
async function collectBody(
  body: IncomingBody,
  bytesMax: number,
): Promise<{ readonly parts: readonly Buffer[]; readonly whole: Buffer | undefined }> {
  if (bytesMax === 0) return { parts: [], whole: undefined };
  const parts: Buffer[] = [];
  while (!body.complete && body.bytes <= bytesMax) {
    const data = await body.read();
    if (data !== null) parts.push(...data);
  }
  if (!body.complete || body.bytes > bytesMax) return { parts, whole: undefined };
  const whole = Buffer.concat(parts);
  return { parts: [whole], whole };
}

interface BodyTransform {
  push(part: Buffer): Iterable<Buffer>;
  end(): Iterable<Buffer>;
}

/**
 * Returns what happens to a body on its way. Where no token may become its value,
 * tokens are noted and nothing is held back: a guest that streams messages waits
 * for the response to one before it sends the next.
 */
function transformFor(request: OutgoingRequest, substituter: BodySubstituter): BodyTransform {
  if (request.changesBody || request.editsBodyMembers) return substituter;
  return {
    *push(part) {
      for (const _piece of substituter.push(part));
      yield part;
    },
    *end() {
      // Nothing is held back.
    },
  };
}

async function passPart(
  upstream: UpstreamSide,
  writer: BodySink,
  transform: BodyTransform | undefined,
  part: Buffer,
): Promise<boolean> {
  for (const piece of transform === undefined ? [part] : transform.push(part)) {
    const blocked = writer.write(piece);
    if (blocked !== undefined) await blocked;
    if (!upstream.writable) return false;
  }
  return true;
}
