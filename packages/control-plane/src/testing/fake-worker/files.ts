import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { filePathQuerySchema, WireError } from "@opencomputer/protocol/api";
import type { FastifyInstance } from "fastify";
import type { FakeMachines } from "./fake-machine.ts";

/** Files in memory. Of those below `/swallow/`, only the length is kept, in `swallowed`. */
export function addFileRoutes(
  app: FastifyInstance,
  { machineOf }: Pick<FakeMachines, "machineOf">,
  swallowed: Map<string, number>,
): void {
  app.put("/v1/sandboxes/:id/files", async (request, reply) => {
    const [, machine] = machineOf(request.params);
    const { path } = filePathQuerySchema.parse(request.query);
    if (!(request.body instanceof Readable)) throw new Error("expected a stream of bytes");
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request.body) {
      bytes += chunk.length;
      if (!path.startsWith("/swallow/")) chunks.push(chunk);
    }
    if (path.startsWith("/swallow/")) swallowed.set(path, bytes);
    else machine.files.set(path, Buffer.concat(chunks));
    return reply.code(204).send();
  });
  app.get("/v1/sandboxes/:id/files", async (request, reply) => {
    const [, machine] = machineOf(request.params);
    const { path } = filePathQuerySchema.parse(request.query);
    const content = machine.files.get(path);
    if (content === undefined) throw new WireError("file_not_found", `file not found: ${path}`);
    const stream = new PassThrough();
    pipeline(Readable.from([content]), stream).catch((error) => stream.destroy(error));
    return reply.header("content-length", content.length).send(stream);
  });
  app.delete("/v1/sandboxes/:id/files", async (request, reply) => {
    const [, machine] = machineOf(request.params);
    const { path } = filePathQuerySchema.parse(request.query);
    if (!machine.files.delete(path)) {
      throw new WireError("file_not_found", `file not found: ${path}`);
    }
    return reply.code(204).send();
  });
  app.get("/v1/sandboxes/:id/files/list", async (request) => {
    const [, machine] = machineOf(request.params);
    filePathQuerySchema.parse(request.query);
    return [...machine.files].map(([path, content]) => ({
      name: path.split("/").at(-1),
      path,
      isDir: false,
      size: content.length,
    }));
  });
  app.post("/v1/sandboxes/:id/files/mkdir", async (request, reply) => {
    machineOf(request.params);
    filePathQuerySchema.parse(request.query);
    return reply.code(204).send();
  });
}
