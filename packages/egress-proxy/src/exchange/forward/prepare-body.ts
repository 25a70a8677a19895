import { type IncomingBody, readWhole } from "../../http/incoming-body.ts";
import { askForBody } from "../guest/guest-side.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import { takeBudget } from "../state/body-reservation.ts";
import type { Exchange } from "../state/exchange.ts";
import {
  type MeasuredBody,
  measured,
  type OutgoingBody,
  type StreamedBody,
  streamed,
  substituterFor,
} from "./outgoing-body.ts";
import { passCompressed, prepareCompressed } from "./prepare-compressed.ts";

/** How a body is prepared. Only a body that is measured can be sent again. */
export type BodyTreatment = "none" | "measure" | "begin" | "stream" | "decode";

/** Decides how the body is prepared, and takes what is certainly needed from the sandbox's budget. */
export function treatmentOf(exchange: Exchange, request: OutgoingRequest): BodyTreatment {
  const { framing, changesBody, editsBodyMembers } = request;
  if (framing.kind === "none") return "none";
  if (request.signature?.body !== undefined) return "measure";
  if (request.signature?.signed.payload.kind === "chunks") return "stream";
  if (request.bodyCompressions.length > 0) return "decode";
  if (framing.kind !== "length" || !(changesBody || editsBodyMembers)) return "stream";
  if (framing.length <= measuredBytesMax(exchange, request) && takeBudget(exchange, framing.length))
    return "measure";
  return changesBody && request.keepsBodyLength ? "begin" : "stream";
}

/**
 * Reads as much of the body as has to be known before its head is sent, with
 * values in place of its tokens.
 *
 * @throws {HttpSyntaxError} for the guest's framing
 * @throws {ChannelLostError}
 */
export async function prepareBody(
  exchange: Exchange,
  request: OutgoingRequest,
  treatment: Exclude<BodyTreatment, "none">,
  body: IncomingBody,
): Promise<OutgoingBody> {
  switch (treatment) {
    case "measure":
      return await measure(exchange, request, body);
    case "begin":
      return await begin(exchange, request, body);
    case "stream":
      return stream(exchange, request);
    case "decode":
      return request.changesBody || request.editsBodyMembers
        ? await prepareCompressed(exchange, request, body)
        : passCompressed(exchange, request);
  }
}

function measuredBytesMax({ deps }: Exchange, request: OutgoingRequest): number {
  const { measuredBodyBytesMax, measuredTextBytesMax } = deps.options;
  return request.changesBody && request.isTextBody ? measuredTextBytesMax : measuredBodyBytesMax;
}

async function measure(
  exchange: Exchange,
  request: OutgoingRequest,
  body: IncomingBody,
): Promise<MeasuredBody> {
  const whole = request.signature?.body ?? (await collect(exchange, request, body));
  const members = whole.length <= exchange.deps.options.measuredBodyBytesMax;
  const substituter = substituterFor(request, exchange.audit.seen, members ? whole : undefined);
  return measured(request, [...substituter.push(whole), ...substituter.end()]);
}

async function collect(
  exchange: Exchange,
  request: OutgoingRequest,
  body: IncomingBody,
): Promise<Buffer> {
  askForBody(exchange.connection.guest, request.expect);
  return await readWhole(body);
}

/** Substitutes the beginning of a file whose length is declared; how much longer it becomes is then known. */
async function begin(
  exchange: Exchange,
  request: OutgoingRequest,
  body: IncomingBody,
): Promise<StreamedBody> {
  const { framing } = request;
  if (framing.kind !== "length") throw new Error("A body without a length has no beginning");
  const beginningBytes = Math.min(framing.length, exchange.deps.options.fileBeginningBytesMax);
  const rest = streamed(request, exchange.audit.seen);
  const { substituter } = rest;
  if (substituter === undefined) return rest;
  if (!takeBudget(exchange, beginningBytes)) {
    substituter.stop();
    return rest;
  }
  askForBody(exchange.connection.guest, request.expect);
  const beginning: Buffer[] = [];
  let substitutedBytes = 0;
  while (!body.complete && body.bytes < beginningBytes) {
    for (const part of (await body.read()) ?? []) {
      for (const piece of substituter.push(part)) {
        beginning.push(piece);
        substitutedBytes += piece.length;
      }
    }
  }
  substituter.stop();
  const growth = substitutedBytes + substituter.heldBytes - body.bytes;
  return { ...rest, expect: undefined, length: framing.length + growth, beginning };
}

function stream(exchange: Exchange, request: OutgoingRequest): StreamedBody {
  const { audit, deps } = exchange;
  if (request.isBodyUnreadable) {
    audit.unsearched(
      "the request body is in a content coding that cannot be undone here; it was not searched for tokens",
    );
  }
  const collects = request.framing.kind === "chunked" && request.editsBodyMembers;
  const { measuredBodyBytesMax } = deps.options;
  const isCollected = collects && takeBudget(exchange, measuredBodyBytesMax);
  return {
    ...streamed(request, audit.seen, isCollected ? measuredBodyBytesMax : 0),
    chunks: request.signature?.signed.chunkSignatures((bytes) => takeBudget(exchange, bytes)),
  };
}
