import { PassThrough } from "node:stream";
import { type BuildLogEvent, type buildEventNames, WireError } from "@opencomputer/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Shorter than what proxies and clients take for a dead connection. */
const keepaliveMilliseconds = 15_000;

/** Whether the client asks for the log of a build as it comes. */
export function wantsEventStream(request: FastifyRequest): boolean {
  const accepted = request.headers.accept ?? "";
  return accepted.split(",").some((type) => type.split(";", 1)[0]?.trim() === "text/event-stream");
}

/**
 * Answers with server-sent events: the log of the work as it comes, and at
 * last what it came to, or why it failed.
 */
export function answerWithEvents<Result>(
  reply: FastifyReply,
  work: (onLog: (event: BuildLogEvent) => void) => Promise<Result>,
): FastifyReply {
  const stream = new PassThrough();
  const send = (name: (typeof buildEventNames)[number], data: unknown) => {
    if (stream.writable) stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const keepalive = setInterval(() => {
    if (stream.writable) stream.write(": keepalive\n\n");
  }, keepaliveMilliseconds);
  stream.once("close", () => clearInterval(keepalive));
  work((event) => send("build_log", event))
    .then(
      (result) => send("result", result),
      (error: unknown) => {
        if (!(error instanceof WireError) || error.status >= 500) {
          reply.log.error({ err: error }, "a request failed after its answer had begun");
        }
        send("error", asWireError(error).toBody());
      },
    )
    .finally(() => stream.end());
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
  return new WireError("internal_error", "Something went wrong on the server; its log says what");
}
