import type { BodyReader } from "../http1/body-reader.ts";
import { BodyWriter, type OutgoingFraming } from "../http1/body-writer.ts";
import type { ByteChannel } from "../http1/byte-channel.ts";
import type { BodySubstituter } from "../substitution/body-substituter.ts";
import { noteTrailers } from "../substitution/header-substitution.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { collectBody, substituterFor } from "./measure-body.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

/** A body that was collected, substituted and measured. Its parts share the values' bytes. */
export interface MeasuredBody {
  readonly parts: readonly Buffer[];
  readonly bytes: number;
}

/** How far a request has been sent. */
export interface Sending {
  /** Whether all of it has been handed to the upstream's socket. */
  complete: boolean;
  /** What went wrong on the guest's side; the upstream connection is destroyed then. */
  failure: unknown;
}

const singleWriteBytesMax = 64 * 1024;

/** Sends a request without a body, or with one that was measured. Such a request can be repeated. */
export function sendMeasured(
  upstream: ByteChannel,
  request: OutgoingRequest,
  measured: MeasuredBody | undefined,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  const length = measured?.bytes ?? (request.declaresEmptyBody ? 0 : undefined);
  const head = `${request.headText}${length === undefined ? "" : `Content-Length: ${length}\r\n`}\r\n`;
  if (measured === undefined || measured.bytes === 0) {
    upstream.write(head);
    sending.complete = true;
  } else if (measured.bytes <= singleWriteBytesMax) {
    upstream.write(Buffer.concat([Buffer.from(head, "latin1"), ...measured.parts]));
    sending.complete = true;
  } else {
    upstream.write(head);
    void track(sending, upstream, () => writeParts(upstream, measured.parts));
  }
  return sending;
}

/**
 * Begins to send a request whose body is passed on as it arrives. A body that
 * may change, or that came chunked, goes out chunked; otherwise its length
 * stays. A chunked body in which members are to be edited is collected first,
 * up to `collectedBytesMax`; of a longer one no member is edited.
 */
export function sendStreamed(
  upstream: ByteChannel,
  request: OutgoingRequest,
  body: BodyReader,
  seen: SeenSecrets,
  collectedBytesMax: number,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  const { framing } = request;
  const length = framing.kind === "length" && !request.changesBody ? framing.length : undefined;
  const outgoingFraming: OutgoingFraming = length === undefined ? "chunked" : "raw";
  const collects = framing.kind === "chunked" && request.editsBodyMembers;
  const writer = new BodyWriter(upstream, outgoingFraming);
  upstream.write(
    request.headText +
      (request.expect === undefined ? "" : `Expect: ${request.expect}\r\n`) +
      (length === undefined ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`) +
      "\r\n\r\n",
  );
  void track(sending, upstream, () =>
    passBody(upstream, writer, request, body, seen, collects ? collectedBytesMax : 0),
  );
  return sending;
}

async function track(
  sending: Sending,
  upstream: ByteChannel,
  send: () => Promise<boolean>,
): Promise<void> {
  try {
    sending.complete = await send();
  } catch (error) {
    sending.failure = error;
    upstream.destroy();
  }
}

async function writeParts(upstream: ByteChannel, parts: readonly Buffer[]): Promise<boolean> {
  for (const part of parts) {
    const blocked = upstream.write(part);
    if (blocked !== undefined) await blocked;
    if (!upstream.writable) return false;
  }
  return true;
}

/** Returns whether the body went out to its end; the upstream may close before that. */
async function passBody(
  upstream: ByteChannel,
  writer: BodyWriter,
  request: OutgoingRequest,
  body: BodyReader,
  seen: SeenSecrets,
  collectedBytesMax: number,
): Promise<boolean> {
  const { parts, whole } = await collectBody(body, collectedBytesMax);
  const substituter = request.searchesBody ? substituterFor(request, seen, whole) : undefined;
  let data: readonly Buffer[] | null = parts;
  while (data !== null) {
    for (const part of data) {
      if (!(await passPart(upstream, writer, substituter, part))) return false;
    }
    data = await body.read();
  }
  if (substituter !== undefined) for (const piece of substituter.end()) writer.write(piece);
  noteTrailers(body.trailers, request.tokens, seen);
  writer.end(body.trailers);
  return upstream.writable;
}

async function passPart(
  upstream: ByteChannel,
  writer: BodyWriter,
  substituter: BodySubstituter | undefined,
  part: Buffer,
): Promise<boolean> {
  for (const piece of substituter === undefined ? [part] : substituter.push(part)) {
    const blocked = writer.write(piece);
    if (blocked !== undefined) await blocked;
    if (!upstream.writable) return false;
  }
  return true;
}
