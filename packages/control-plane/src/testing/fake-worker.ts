import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type CommandResult,
  commandResultSchema,
  filePathQuerySchema,
  idempotencyKeyHeader,
  type RunCommandRequest,
  runCommandRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import {
  hibernatedSandboxSchema,
  initialScaling,
  type MachineUsage,
  makeCheckpointRequestSchema,
  metricsResponseSchema,
  type PrepareSandboxRequest,
  prepareSandboxRequestSchema,
  rebootSandboxRequestSchema,
  restoreSandboxRequestSchema,
  type SandboxScaling,
  type SandboxUse,
  sandboxUseSchema,
  startSandboxRequestSchema,
  traceParentHeader,
  trustRequestSchema,
  tunnelProtocol,
  type WorkerCheckpoint,
  type WorkerSandbox,
  type WorkerStatus,
  wakeSandboxRequestSchema,
  workerAutoscaleRequestSchema,
  workerCheckpointListSchema,
  workerCheckpointSchema,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerScaleRequestSchema,
  workerScalingLockRequestSchema,
  workerStatusSchema,
  workerUsageSchema,
} from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { createFakeSessions } from "./fake-sessions.ts";
import { createFakeTerminals } from "./fake-terminals.ts";
import { createUnixSocketPeer } from "./serve-unix-socket.ts";

export interface FakeMachine {
  request: Omit<PrepareSandboxRequest, "sandboxId">;
  state: WorkerSandbox["state"];
  sourceAddress: string | null;
  machineId: string | null;
  files: Map<string, Buffer>;
  lostBecause: string | null;
  hookError?: string | undefined;
}

type Step =
  | "prepare"
  | "start"
  | "delete"
  | "hibernate"
  | "wake"
  | "restore"
  | "checkpoint"
  | "scale"
  | "reboot";
type FakeCheckpoint = WorkerCheckpoint & { files: Map<string, Buffer> };

const paramsSchema = z.object({ id: z.string() });
export const hibernatedBytes = 4096;
export const checkpointBytes = 8192;

/**
 * The worker's wire without machines. `echo` and `env` are its commands;
 * `before` lets a test wait or fail in the middle of a step.
 */
export function createFakeWorker(socketPath: string) {
  const machines = new Map<string, FakeMachine>();
  const checkpoints = new Map<string, FakeCheckpoint>();
  const events: string[] = [];
  const fakeSessions = createFakeSessions();
  const fakeTerminals = createFakeTerminals();
  let nextSlot = 0;
  const worker = {
    machines,
    sessions: fakeSessions.sessions,
    terminals: fakeTerminals.terminals,
    /** Real servers instead of those in guests: `sb-… 3000`, and the local port. */
    servers: new Map<string, number>(),
    /** Tunnels that were opened, such as `sb-… 3000`. */
    tunnels: [] as string[],
    checkpoints,
    /** What happened, in order, such as `prepare sb-…`. */
    events,
    /** Addresses of slots that were closed, which the next machines get before fresh ones. */
    closedSlots: [] as string[],
    trusted: undefined as string | undefined,
    /** Bytes of files too large to keep, by path. */
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
      limitsEnforced: true,
      quarantined: [],
    } as WorkerStatus,
    before: async (_step: Step, _sandboxId: string): Promise<void> => undefined,
    /** What it reports of the use of a sandbox. */
    useOf: (_sandboxId: string): Partial<SandboxUse> => ({}),
    /** What it reports of the usage of machines. */
    usage: [] as MachineUsage[],
    /** Sessions that the last start was to restart. */
    restarted: [] as string[],
    /** How a hook fails in what is started. */
    hookError: undefined as string | undefined,
    /** Idempotency keys of commands, in order. */
    keys: [] as string[],
    /** Traces of the requests so far, such as `POST /v1/sandboxes 00-…`. */
    traceParents: [] as string[],
    /** Whether the worker is lost after it has acted on a request, such as `POST /v1/…`. */
    losesResponse: (_request: string): boolean => false,
    run: (
      machine: FakeMachine,
      command: RunCommandRequest,
    ): CommandResult | Promise<CommandResult> => ({
      exitCode: 0,
      stdout: command.cmd === "env" ? JSON.stringify(machine.request.envs) : `${command.cmd}\n`,
      stderr: "",
    }),
    /** Comes back as another process; machines are adopted unless set otherwise. */
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
      machineId: machine.machineId,
      memory: machine.lostBecause === null ? "kept" : "lost",
      lostBecause: machine.lostBecause,
      size: sizeOf(machine),
      hookError: machine.hookError,
    });

  const sizeOf = ({ request: { memoryMB, scaling } }: FakeMachine) => ({
    memoryMB,
    scaling: scaling ?? initialScaling(memoryMB),
  });

  /** A slot, and with it a machine of its own. */
  const freeSlot = () => ({
    sourceAddress: worker.closedSlots.shift() ?? slotAddress(nextSlot++),
    machineId: randomUUID(),
  });

  const peer = createUnixSocketPeer(socketPath, (app) => {
    app.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
      done(null, payload),
    );
    app.addHook("onRequest", async ({ method, url, headers }) => {
      const { [idempotencyKeyHeader]: key, [traceParentHeader]: traceParent } = headers;
      if (typeof key === "string") worker.keys.push(key);
      if (traceParent !== undefined) worker.traceParents.push(`${method} ${url} ${traceParent}`);
    });
    app.addHook("onSend", async (request, reply) => {
      if (worker.losesResponse(`${request.method} ${request.url}`)) reply.raw.destroy();
    });
    app.get("/v1/metrics", async () => metricsResponseSchema.parse({ text: "# metrics\n" }));
    app.get("/v1/usage", async () => workerUsageSchema.parse(worker.usage));
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
        ...freeSlot(),
        files: new Map(prepare.checkpointId === null ? [] : filesOf(prepare.checkpointId)),
        lostBecause: null,
      };
      machines.set(prepare.sandboxId, machine);
      return reply.code(201).send(describe(prepare.sandboxId, machine));
    });
    app.post("/v1/sandboxes/:id/start", async (request) => {
      const [id, machine] = machineOf(request.params);
      events.push(`start ${id}`);
      await worker.before("start", id);
      worker.restarted = startSandboxRequestSchema.parse(request.body)?.restartSessions ?? [];
      machine.state = "running";
      machine.hookError = worker.hookError;
      return describe(id, machine);
    });
    app.get("/v1/sandboxes/:id/use", async (request) => {
      const [id] = machineOf(request.params);
      const unused = { lastUsedAt: null, operations: 0, cpuLastUsedAt: null };
      return sandboxUseSchema.parse({ ...unused, ...worker.useOf(id) });
    });
    app.delete("/v1/sandboxes/:id", async (request, reply) => {
      const [id] = machineOf(request.params);
      events.push(`delete ${id}`);
      await worker.before("delete", id);
      machines.delete(id);
      return reply.code(204).send();
    });
    app.post("/v1/sandboxes/:id/exec/run", async (request) => {
      const [id, machine] = machineOf(request.params);
      if (machine.state !== "running") {
        throw new WireError("sandbox_not_running", `Sandbox ${id} is ${machine.state}`);
      }
      const command = runCommandRequestSchema.parse(request.body);
      return commandResultSchema.parse(await worker.run(machine, command));
    });
    addStateRoutes(app);
    addTunnels(app);
    addScalingRoutes(app);
    fakeSessions.addRoutes(app, machineOf);
    fakeTerminals.addRoutes(app, machineOf);
    addFileRoutes(app);
  });

  function filesOf(checkpointId: string): Map<string, Buffer> {
    const checkpoint = checkpoints.get(checkpointId);
    if (checkpoint !== undefined) return checkpoint.files;
    throw new WireError("checkpoint_not_found", `checkpoint not found: ${checkpointId}`);
  }

  function addTunnels(app: FastifyInstance): void {
    app.server.on("upgrade", (request, socket) => {
      const { id = "", port = "" } =
        /^\/v1\/sandboxes\/(?<id>[^/]+)\/tunnel\?port=(?<port>\d+)$/.exec(request.url ?? "")
          ?.groups ?? {};
      worker.tunnels.push(`${id} ${port}`);
      const localPort = worker.servers.get(`${id} ${port}`);
      socket.on("error", () => undefined);
      if (machines.get(id)?.state !== "running" || localPort === undefined) {
        const code = localPort === undefined ? "port_not_listening" : "sandbox_not_running";
        const body = JSON.stringify({ error: "no server", code });
        socket.end(
          `HTTP/1.1 502 X\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
        return;
      }
      const server = connect(localPort, "127.0.0.1");
      server.on("error", () => socket.destroy());
      server.on("close", () => socket.destroy());
      socket.on("close", () => server.destroy());
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
      );
      socket.pipe(server);
      server.pipe(socket);
    });
  }

  function addStateRoutes(app: FastifyInstance): void {
    app.post("/v1/sandboxes/:id/hibernate", async (request) => {
      const [id, machine] = machineOf(request.params);
      events.push(`hibernate ${id}`);
      await worker.before("hibernate", id);
      machine.state = "hibernated";
      machine.sourceAddress = null;
      machine.machineId = null;
      return hibernatedSandboxSchema.parse({ sizeBytes: hibernatedBytes });
    });
    app.post("/v1/sandboxes/:id/wake", async (request) => {
      const [id, machine] = machineOf(request.params);
      const wake = wakeSandboxRequestSchema.parse(request.body);
      events.push(`wake ${id}`);
      await worker.before("wake", id);
      machineOf(request.params);
      if (machine.state === "hibernated") {
        machine.state = "prepared";
        Object.assign(machine, freeSlot());
        machine.request = { ...machine.request, ...wake };
      }
      return describe(id, machine);
    });
    app.post("/v1/sandboxes/:id/restore", async (request) => {
      const [id, machine] = machineOf(request.params);
      const { checkpointId, ...wake } = restoreSandboxRequestSchema.parse(request.body);
      events.push(`restore ${id}`);
      const files = filesOf(checkpointId);
      await worker.before("restore", id);
      machine.state = "prepared";
      Object.assign(machine, freeSlot());
      machine.request = { ...machine.request, ...wake };
      machine.files = new Map(files);
      return describe(id, machine);
    });
    app.get("/v1/checkpoints", async () =>
      workerCheckpointListSchema.parse([...checkpoints.values()]),
    );
    app.put("/v1/checkpoints/:id", async (request) => {
      const { id: checkpointId } = paramsSchema.parse(request.params);
      const { sandboxId, kind } = makeCheckpointRequestSchema.parse(request.body);
      const [, machine] = machineOf({ id: sandboxId });
      events.push(`checkpoint ${checkpointId}`);
      await worker.before("checkpoint", checkpointId);
      const checkpoint = {
        checkpointId,
        kind,
        sizeBytes: checkpointBytes,
        pauseMilliseconds: 1,
        files: new Map(machine.files),
      };
      checkpoints.set(checkpointId, checkpoint);
      return workerCheckpointSchema.parse(checkpoint);
    });
    app.delete("/v1/checkpoints/:id", async (request, reply) => {
      const { id } = paramsSchema.parse(request.params);
      if (!checkpoints.delete(id)) {
        throw new WireError("checkpoint_not_found", `checkpoint not found: ${id}`);
      }
      return reply.code(204).send();
    });
  }

  function addScalingRoutes(app: FastifyInstance): void {
    const resize = (machine: FakeMachine, memoryMB: number, change: Partial<SandboxScaling>) => {
      const scaling = { ...sizeOf(machine).scaling, ...change };
      machine.request = { ...machine.request, memoryMB, scaling };
    };
    const disabled = (machine: FakeMachine) => {
      const { autoscale } = sizeOf(machine).scaling;
      return autoscale === null ? null : { ...autoscale, enabled: false };
    };
    app.post("/v1/sandboxes/:id/scale", async (request) => {
      const [id, machine] = machineOf(request.params);
      const { memoryMB, cpuPercent } = workerScaleRequestSchema.parse(request.body);
      events.push(`scale ${id}`);
      await worker.before("scale", id);
      if (machine.state !== "running") throw new WireError("sandbox_not_running", "not running");
      const { scaling } = sizeOf(machine);
      resize(machine, memoryMB ?? machine.request.memoryMB, {
        cpuPercent: cpuPercent ?? scaling.cpuPercent,
        ...(memoryMB === null ? {} : { ownerMemoryMB: memoryMB, autoscale: disabled(machine) }),
      });
      return describe(id, machine);
    });
    app.put("/v1/sandboxes/:id/autoscale", async (request) => {
      const [id, machine] = machineOf(request.params);
      const wanted = workerAutoscaleRequestSchema.parse(request.body);
      const { autoscale } = sizeOf(machine).scaling;
      const minMemoryMB = wanted.minMemoryMB ?? autoscale?.minMemoryMB;
      const maxMemoryMB = wanted.maxMemoryMB ?? autoscale?.maxMemoryMB;
      if (minMemoryMB !== undefined && maxMemoryMB !== undefined) {
        const { enabled } = wanted;
        resize(machine, machine.request.memoryMB, {
          autoscale: { enabled, minMemoryMB, maxMemoryMB },
        });
      }
      return describe(id, machine);
    });
    app.put("/v1/sandboxes/:id/scaling-lock", async (request) => {
      const [id, machine] = machineOf(request.params);
      const { locked } = workerScalingLockRequestSchema.parse(request.body);
      const autoscale = locked ? disabled(machine) : sizeOf(machine).scaling.autoscale;
      resize(machine, machine.request.memoryMB, { locked, autoscale });
      return describe(id, machine);
    });
    app.post("/v1/sandboxes/:id/reboot", async (request) => {
      const [id, machine] = machineOf(request.params);
      const { orderly } = rebootSandboxRequestSchema.parse(request.body);
      events.push(`${orderly ? "reboot" : "power-cycle"} ${id}`);
      await worker.before("reboot", id);
      machine.state = "prepared";
      machine.lostBecause = "it was rebooted";
      Object.assign(machine, freeSlot());
      return describe(id, machine);
    });
  }

  function addFileRoutes(app: FastifyInstance): void {
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

/** The address that the packets of a slot have: each slot is a /30. */
function slotAddress(slot: number): string {
  const place = 6 + slot * 4;
  return `198.18.${Math.floor(place / 256)}.${place % 256}`;
}
