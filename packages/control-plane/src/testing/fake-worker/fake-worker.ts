import { randomUUID } from "node:crypto";
import {
  type CommandResult,
  commandResultSchema,
  idempotencyKeyHeader,
  type RunCommandRequest,
  runCommandRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import {
  type MachineUsage,
  metricsResponseSchema,
  prepareSandboxRequestSchema,
  rebootSandboxRequestSchema,
  type SandboxUse,
  sandboxUseSchema,
  startSandboxRequestSchema,
  traceParentHeader,
  trustRequestSchema,
  type WorkerStatus,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
  workerUsageSchema,
} from "@opencomputer/protocol/wire";
import { createUnixSocketPeer } from "../serve-unix-socket.ts";
import {
  type FakeCheckpoint,
  type FakeMachine,
  type FakeMachines,
  paramsSchema,
  type Step,
  sizeOf,
} from "./fake-machine.ts";
import { createFakeSessions } from "./fake-sessions.ts";
import { createFakeTerminals } from "./fake-terminals.ts";
import { addFileRoutes } from "./files.ts";
import { addSavedStateRoutes, filesOf } from "./saved-states.ts";
import { addScalingRoutes } from "./scaling.ts";
import { addTunnels } from "./tunnels.ts";

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

  /** A slot, and with it a machine of its own. */
  const freeSlot = () => ({
    sourceAddress: worker.closedSlots.shift() ?? slotAddress(nextSlot++),
    machineId: randomUUID(),
  });

  async function begin(step: Step, id: string, event: string = step): Promise<void> {
    events.push(`${event} ${id}`);
    await worker.before(step, id);
  }

  const shared: FakeMachines = { begin, machineOf, describe, freeSlot };
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
      await begin("prepare", prepare.sandboxId);
      const machine: FakeMachine = {
        request: prepare,
        state: "prepared",
        ...freeSlot(),
        files: new Map(
          prepare.checkpointId === null ? [] : filesOf(checkpoints, prepare.checkpointId),
        ),
        lostBecause: null,
      };
      machines.set(prepare.sandboxId, machine);
      return reply.code(201).send(describe(prepare.sandboxId, machine));
    });
    app.post("/v1/sandboxes/:id/start", async (request) => {
      const [id, machine] = machineOf(request.params);
      await begin("start", id);
      worker.restarted = startSandboxRequestSchema.parse(request.body)?.restartSessions ?? [];
      machine.state = "running";
      machine.hookError = worker.hookError;
      return describe(id, machine);
    });
    app.post("/v1/sandboxes/:id/reboot", async (request) => {
      const [id, machine] = machineOf(request.params);
      const { orderly } = rebootSandboxRequestSchema.parse(request.body);
      await begin("reboot", id, orderly ? "reboot" : "power-cycle");
      machine.state = "prepared";
      machine.lostBecause = "it was rebooted";
      Object.assign(machine, freeSlot());
      return describe(id, machine);
    });
    app.get("/v1/sandboxes/:id/use", async (request) => {
      const [id] = machineOf(request.params);
      const unused = { lastUsedAt: null, operations: 0, cpuLastUsedAt: null };
      return sandboxUseSchema.parse({ ...unused, ...worker.useOf(id) });
    });
    app.delete("/v1/sandboxes/:id", async (request, reply) => {
      const [id] = machineOf(request.params);
      await begin("delete", id);
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
    addSavedStateRoutes(app, shared, checkpoints);
    addScalingRoutes(app, shared);
    addTunnels(app, machines, worker);
    fakeSessions.addRoutes(app, machineOf);
    fakeTerminals.addRoutes(app, machineOf);
    addFileRoutes(app, shared, worker.swallowed);
  });

  return worker;
}

/** The address that the packets of a slot have: each slot is a /30. */
function slotAddress(slot: number): string {
  const place = 6 + slot * 4;
  return `198.18.${Math.floor(place / 256)}.${place % 256}`;
}
