import { Readable } from "node:stream";
import { WireError } from "@opencomputer/protocol/api";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";

/** The two routes of a file's content, with a key as with a signed URL. */
export interface FileContent {
  send(request: FastifyRequest, reply: FastifyReply, file: GuestFile): Promise<FastifyReply>;
  receive(request: FastifyRequest, reply: FastifyReply, file: GuestFile): Promise<FastifyReply>;
}

export interface GuestFile {
  id: string;
  path: string;
}

/** Bytes pass through as they come, and none wait in memory for the slower end. */
export function createFileContent(operations: SandboxOperations): FileContent {
  return {
    async send(request, reply, { id, path }) {
      const { worker, signal } = await operations.begin(request, reply, id);
      const file = await worker.readFile(id, path, signal);
      const length = file.headers["content-length"];
      if (typeof length === "string") reply.header("content-length", length);
      reply.type("application/octet-stream");
      if (request.method !== "HEAD") return reply.send(file.body);
      // The framework would read all of the content to discard it. A body that is given up reports that as its error.
      file.body.once("error", () => undefined).destroy();
      return reply.send(Readable.from([]));
    },

    async receive(request, reply, { id, path }) {
      const { worker, signal } = await operations.begin(request, reply, id);
      const length = request.headers["content-length"];
      await worker.writeFile(id, path, { body: contentOf(request.body), length }, signal);
      return reply.code(204).send();
    },
  };
}

/** Takes a body of any type and any size as a stream: it is the content of a file. */
export function takeAnyContent(
  app: Pick<FastifyInstance, "removeAllContentTypeParsers" | "addContentTypeParser">,
): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
}

/** A request without a body writes an empty file. */
function contentOf(body: unknown): Readable {
  if (body === undefined || body === null) return Readable.from([]);
  if (body instanceof Readable) return body;
  throw new WireError("invalid_request", "The body must be the content of the file");
}
