import { randomUUID } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  commandResultSchema,
  filePathQuerySchema,
  type PrepareSandboxRequest,
  prepareSandboxRequestSchema,
  type RunCommandRequest,
  runCommandRequestSchema,
  trustRequestSchema,
  WireError,
  type WorkerSandbox,
  type WorkerStatus,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
} from "@opencomputer/protocol";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { createUnixSocketPeer } from "./serve-unix-socket.ts";

export interface FakeMachine {
  request: PrepareSandboxRequest;
  state: WorkerSandbox["state"];
  sourceAddress: string;
  files: Map<string, Buffer>;
}

type Step = "prepare" | "start" | "delete";
const paramsSchema = z.object({ id: z.string() });

/**
 * The worker's wire without machines. `echo` and `env` are its commands;
 * `before` lets a test wait or fail in the middle of a step.
 */
export function createFakeWorker(socketPath: string) {
  const machines = new Map<string, FakeMachine>();
  const events: string[] = [];
  let nextAddress = 2;
  const worker = {
    machines,
    /** What happened, in order, such as `prepare sb-…`. */
    events,
    trusted: undefined as string | undefined,
    /** Octets of files too large to keep, by path. */
    swallowed: new Map<string, number>(),
    status: {
      instanceId: randomUUID(),
      ready: true,
      stage: "ready",
      failure: null,
      accelerator: "tcg",
      cpuCountMax: 4,
      memoryMBMax: 8192,
      sandboxCount: 0,
    } as WorkerStatus,
    before: async (_step: Step, _sandboxId: string): Promise<void> => undefined,
    run: (
      machine: FakeMachine,
      command: RunCommandRequest,
    ): z.infer<typeof commandResultSchema> => ({
      exitCode: 0,
      stdout: command.cmd === "env" ? JSON.stringify(machine.request.envs) : `${command.cmd}\n`,
      stderr: "",
    }),
    /** Comes back as another process; machines are adopted unless told otherwise. */
    async restart(options: { loseMachines?: boolean } = {}) {
      await peer.stop();
      if (options.loseMachines === true) machines.clear();
      worker.trusted = undefined;
      worker.status = { ...worker.status, instanceId: randomUUID() };
      await peer.start();
    },
    start: () => peer.start(),
    stop: () => peer.stop(),
  };

  function machineOf(params: unknown): [string, FakeMachine] {
    const { id } = paramsSchema.parse(params);
    const machine = machines.get(id);
    if (machine === undefined) {
      throw new WireError("sandbox_not_found", `sandbox not found: ${id}`);
    }
    return [id, machine];
  }

  const describe = (sandboxId: string, machine: FakeMachine) =>
    workerSandboxSchema.parse({
      sandboxId,
      state: machine.state,
      sourceAddress: machine.sourceAddress,
    });

  const peer = createUnixSocketPeer(socketPath, (app) => {
    app.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
      done(null, payload),
    );
    app.get("/v1/status", async () => workerStatusSchema.parse(worker.status));
    app.put("/v1/trust", async (request, reply) => {
      worker.trusted = trustRequestSchema.parse(request.body).certificatePem;
      return reply.code(204).send();
    });
    app.get("/v1/sandboxes", async () =>
      workerSandboxListSchema.parse([...machines].map(([id, machine]) => describe(id, machine))),
    );
    app.post("/v1/sandboxes", async (request, reply) => {
      const prepare = prepareSandboxRequestSchema.parse(request.body);
      events.push(`prepare ${prepare.sandboxId}`);
      await worker.before("prepare", prepare.sandboxId);
      const machine: FakeMachine = {
        request: prepare,
        state: "prepared",
        sourceAddress: `198.18.0.${nextAddress++}`,
        files: new Map(),
      };
      machines.set(prepare.sandboxId, machine);
      return reply.code(201).send(describe(prepare.sandboxId, machine));
    });
    app.post("/v1/sandboxes/:id/start", async (request) => {
      const [id, machine] = machineOf(request.params);
      events.push(`start ${id}`);
      await worker.before("start", id);
      machine.state = "running";
      return describe(id, machine);
    });
    app.delete("/v1/sandboxes/:id", async (request, reply) => {
      const [id] = machineOf(request.params);
      events.push(`delete ${id}`);
      await worker.before("delete", id);
      machines.delete(id);
      return reply.code(204).send();
    });
    app.post("/v1/sandboxes/:id/exec/run", async (request) => {
      const [, machine] = machineOf(request.params);
      const command = runCommandRequestSchema.parse(request.body);
      return commandResultSchema.parse(worker.run(machine, command));
    });
    addFileRoutes(app);
  });

  function addFileRoutes(app: FastifyInstance): void {
    app.put("/v1/sandboxes/:id/files", async (request, reply) => {
      const [, machine] = machineOf(request.params);
      const { path } = filePathQuerySchema.parse(request.query);
      if (!(request.body instanceof Readable)) throw new Error("expected a stream of octets");
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of request.body) {
        bytes += chunk.length;
        if (!path.startsWith("/swallow/")) chunks.push(chunk);
      }
      if (path.startsWith("/swallow/")) worker.swallowed.set(path, bytes);
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

  return worker;
}
export type FakeWorker = ReturnType<typeof createFakeWorker>;
