import { limits } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest, RequestPayload } from "fastify";
import { isJsonList } from "../respond/json-list.ts";
import { createLargeMessages, type LargeMessage } from "./large-messages.ts";

/** A smaller message takes hardly more memory than its connection does. */
const countedBytesMin = 64 * 1024;

type Done<Payload> = (error: null, payload: Payload) => void;

/**
 * Hooks that count each large request until it was received, and each large response
 * until it was sent, so that clients that are slow do not fill the memory.
 * The content of files is streamed, and not counted.
 */
export function createLargeMessageHooks(
  log: { warn(details: object, message: string): void },
  bytesTotalMax: number = limits.largeMessagesBytesTotalMax,
) {
  const requests = createLargeMessages({ bytesTotalMax });
  const responses = createLargeMessages({ bytesTotalMax });

  function messageOf(
    bytes: number,
    { routeOptions }: FastifyRequest,
    { raw }: FastifyReply,
    what: "send a large request" | "read a large response",
  ): LargeMessage {
    return {
      bytes,
      drop() {
        const { url: route } = routeOptions;
        log.warn({ bytes, route }, `a client that did not ${what} in time was disconnected`);
        raw.destroy();
      },
    };
  }

  return {
    preParsing(
      request: FastifyRequest,
      reply: FastifyReply,
      payload: RequestPayload,
      done: Done<RequestPayload>,
    ): void {
      const bytes = largestBodyOf(request);
      // One that was destroyed emits nothing more that would end the counting.
      if (bytes >= countedBytesMin && !reply.raw.destroyed) {
        const message = messageOf(bytes, request, reply, "send a large request");
        const forget = requests.add(request.orgId, message);
        payload.once("end", forget);
        reply.raw.once("close", forget);
      }
      done(null, payload);
    },

    onSend(
      request: FastifyRequest,
      reply: FastifyReply,
      payload: unknown,
      done: Done<unknown>,
    ): void {
      const bytes = heldBytesOf(payload);
      if (bytes >= countedBytesMin && !reply.raw.destroyed) {
        const message = messageOf(bytes, request, reply, "read a large response");
        reply.raw.once("close", responses.add(request.orgId, message));
      }
      done(null, payload);
    },
  };
}

/** How much of a response is in memory until it was sent. */
function heldBytesOf(payload: unknown): number {
  if (typeof payload === "string" || Buffer.isBuffer(payload)) return Buffer.byteLength(payload);
  return isJsonList(payload) ? payload.heldBytesMax : 0;
}

/** How large the body may become that is collected in memory. */
function largestBodyOf({ headers, routeOptions }: FastifyRequest): number {
  const { bodyLimit = limits.apiBodyBytesMax, config } = routeOptions;
  if (config.fileContent === "request") return 0;
  if (headers["transfer-encoding"] !== undefined) return bodyLimit;
  return Math.min(bodyLimit, Number(headers["content-length"] ?? 0));
}
