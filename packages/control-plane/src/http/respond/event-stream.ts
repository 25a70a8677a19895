import { once } from "node:events";
import { PassThrough } from "node:stream";
import { abortWhenClosed } from "@opencomputer/process";
import { type BuildLogEvent, type buildEventNames, WireError } from "@opencomputer/protocol/api";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { internalErrorText } from "./error-responses.ts";

/** Shorter than what proxies and clients take for a dead connection. */
const keepaliveMilliseconds = 15_000;

/** Whether the client asks for what happens as it does. */
export function wantsEventStream(request: FastifyRequest): boolean {
  const accepted = request.headers.accept ?? "";
  return accepted.split(",").some((type) => type.split(";", 1)[0]?.trim() === "text/event-stream");
}

/**
 * Responds with server-sent events at the pace of the client: the log of the work
 * as it comes, and at last its result or error. What the client has not taken yet
 * waits as it was logged, so that clients of one log share it.
 */
export function respondWithEvents<Result>(
  reply: FastifyReply,
  work: (onLog: (event: BuildLogEvent) => void) => Promise<Result>,
): FastifyReply {
  const stream = openStream();
  const waiting: { name: (typeof buildEventNames)[number]; data: unknown }[] = [];
  let isOver = false;
  const flush = () => {
    let sent = 0;
    for (const { name, data } of waiting) {
      if (stream.writableNeedDrain || !stream.writable) break;
      stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      sent += 1;
    }
    waiting.splice(0, sent);
    if (isOver && waiting.length === 0) stream.end();
  };
  stream.on("drain", flush);
  stream.once("close", () => waiting.splice(0));
  const send = (name: (typeof buildEventNames)[number], data: unknown) => {
    if (!stream.writable) return;
    waiting.push({ name, data });
    flush();
  };
  work((event) => send("build_log", event))
    .then(
      (result) => send("result", result),
      (error: unknown) => {
        if (!(error instanceof WireError) || error.status >= 500) {
          reply.log.error({ err: error }, "a request failed after its response had begun");
        }
        send("error", asWireError(error).toBody());
      },
    )
    .finally(() => {
      isOver = true;
      flush();
    });
  return sendStream(reply, stream);
}

/** Responds with what `follow` returns, until the signal that it gets is aborted. */
export type RespondWithStream = (
  reply: FastifyReply,
  follow: (signal: AbortSignal) => Promise<AsyncIterable<{ cursor: string }>>,
) => Promise<FastifyReply>;

/**
 * Makes the streams of the routes of `app`: server-sent events that have the cursor of each as
 * its id, at the pace of the client, until there are no more, the client has left or the
 * server closes. A failure ends the response; the client continues after the last id that
 * it has. A HEAD gets the head of such a response, and follows nothing.
 */
export function createStreamResponses(app: FastifyInstance): RespondWithStream {
  const closing = new AbortController();
  app.addHook("preClose", async () => closing.abort());
  return async (reply, follow) => {
    const signal =
      reply.request.method === "HEAD"
        ? AbortSignal.abort()
        : AbortSignal.any([abortWhenClosed(reply.raw), closing.signal]);
    const followed = await follow(signal);
    return sendEach(reply, followed, signal);
  };
}

function sendEach(
  reply: FastifyReply,
  events: AsyncIterable<{ cursor: string }>,
  signal: AbortSignal,
): FastifyReply {
  const stream = openStream();
  // Has the head sent at once: the first event may be far off.
  stream.write(": open\n\n");
  const write = async (): Promise<void> => {
    for await (const event of events) {
      const isRoomLeft = stream.write(`id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`);
      if (!isRoomLeft) await once(stream, "drain", { signal });
    }
  };
  write()
    .catch((error: unknown) => {
      if (!signal.aborted) reply.log.error({ err: error }, "an event stream has failed");
    })
    .finally(() => stream.end());
  return sendStream(reply, stream);
}

/** A stream with a comment now and then, so that nobody takes the connection for dead. */
function openStream(): PassThrough {
  const stream = new PassThrough();
  const keepalive = setInterval(() => {
    if (stream.writable && !stream.writableNeedDrain) stream.write(": keepalive\n\n");
  }, keepaliveMilliseconds);
  stream.once("close", () => clearInterval(keepalive));
  return stream;
}

function sendStream(reply: FastifyReply, stream: PassThrough): FastifyReply {
  return reply
    .code(200)
    .header("content-type", "text/event-stream")
    .header("cache-control", "no-store")
    .header("x-accel-buffering", "no")
    .send(stream);
}

/** Texts of other errors are not for clients. */
function asWireError(error: unknown): WireError {
  if (error instanceof WireError) return error;
  return new WireError("internal_error", internalErrorText);
}
