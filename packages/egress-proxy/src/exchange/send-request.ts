import type { BodyReader } from "../http1/body-reader.ts";
import { BodyWriter, type OutgoingFraming } from "../http1/body-writer.ts";
import type { ByteChannel } from "../http1/byte-channel.ts";
import type { Field } from "../http1/fields.ts";
import { BodySubstituter } from "../substitution/body-substituter.ts";
import { substituteHeaderValue } from "../substitution/header-substitution.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

/** A body that was collected, substituted and measured. Its parts share the values' octets. */
export interface MeasuredBody {
  readonly parts: readonly Buffer[];
  readonly octets: number;
}

/** How far a request has been sent. */
export interface Sending {
  /** Whether all of it has been handed to the upstream's socket. */
  complete: boolean;
  /** What went wrong on the guest's side; the upstream connection is destroyed then. */
  failure: unknown;
}

const singleWriteOctetsMax = 64 * 1024;

/** Sends a request without a body, or with one that was measured. Such a request can be repeated. */
export function sendMeasured(
  upstream: ByteChannel,
  request: OutgoingRequest,
  measured: MeasuredBody | undefined,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  const length = measured?.octets ?? (request.declaresEmptyBody ? 0 : undefined);
  const head = `${request.headText}${length === undefined ? "" : `Content-Length: ${length}\r\n`}\r\n`;
  if (measured === undefined || measured.octets === 0) {
    upstream.write(head);
    sending.complete = true;
  } else if (measured.octets <= singleWriteOctetsMax) {
    upstream.write(Buffer.concat([Buffer.from(head, "latin1"), ...measured.parts]));
    sending.complete = true;
  } else {
    upstream.write(head);
    void settle(sending, upstream, () => writeParts(upstream, measured.parts));
  }
  return sending;
}

/**
 * Begins to send a request whose body is passed on as it arrives. A body that
 * may change, or that came chunked, goes out chunked; otherwise its length stays.
 */
export function sendStreamed(
  upstream: ByteChannel,
  request: OutgoingRequest,
  body: BodyReader,
  seen: SeenSecrets,
): Sending {
  const sending: Sending = { complete: false, failure: undefined };
  const { framing } = request;
  const mayChange = request.searchesBody && request.tokens.hasUsable;
  const length = framing.kind === "length" && !mayChange ? framing.length : undefined;
  const outgoingFraming: OutgoingFraming = length === undefined ? "chunked" : "raw";
  upstream.write(
    request.headText +
      (request.expect === undefined ? "" : `Expect: ${request.expect}\r\n`) +
      (length === undefined ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`) +
      "\r\n\r\n",
  );
  void settle(sending, upstream, () =>
    passBody(upstream, new BodyWriter(upstream, outgoingFraming), request, body, seen),
  );
  return sending;
}

async function settle(
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

/** Answers whether the body went out to its end; the upstream may close before that. */
async function passBody(
  upstream: ByteChannel,
  writer: BodyWriter,
  request: OutgoingRequest,
  body: BodyReader,
  seen: SeenSecrets,
): Promise<boolean> {
  const substituter = request.searchesBody
    ? new BodySubstituter(request.tokens, request.bodyForm, seen)
    : undefined;
  for (;;) {
    const data = await body.read();
    if (data === null) break;
    for (const part of data) {
      for (const piece of substituter === undefined ? [part] : substituter.push(part)) {
        const blocked = writer.write(piece);
        if (blocked !== undefined) await blocked;
        if (!upstream.writable) return false;
      }
    }
  }
  if (substituter !== undefined) for (const piece of substituter.end()) writer.write(piece);
  writer.end(substitutedTrailers(body.trailers, request, seen));
  return upstream.writable;
}

function substitutedTrailers(
  trailers: readonly Field[],
  request: OutgoingRequest,
  seen: SeenSecrets,
): readonly Field[] {
  if (trailers.length === 0 || request.tokens.entries.size === 0) return trailers;
  return trailers.map((field) => ({
    ...field,
    value: substituteHeaderValue(field.value, request.tokens, seen, []),
  }));
}
