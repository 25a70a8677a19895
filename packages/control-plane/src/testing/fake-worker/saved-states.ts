import { WireError } from "@opencomputer/protocol/api";
import {
  hibernatedSandboxSchema,
  makeCheckpointRequestSchema,
  restoreSandboxRequestSchema,
  wakeSandboxRequestSchema,
  workerCheckpointListSchema,
  workerCheckpointSchema,
} from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import { type FakeCheckpoint, type FakeMachines, paramsSchema } from "./fake-machine.ts";

export const hibernatedBytes = 4096;
export const checkpointBytes = 8192;

/** The files of a checkpoint. @throws {WireError} `checkpoint_not_found` */
export function filesOf(
  checkpoints: ReadonlyMap<string, FakeCheckpoint>,
  checkpointId: string,
): Map<string, Buffer> {
  const checkpoint = checkpoints.get(checkpointId);
  if (checkpoint !== undefined) return checkpoint.files;
  throw new WireError("checkpoint_not_found", `checkpoint not found: ${checkpointId}`);
}

/** Hibernations, wakes, checkpoints and restores, which save and load the files of a machine. */
export function addSavedStateRoutes(
  app: FastifyInstance,
  { begin, machineOf, describe, freeSlot }: FakeMachines,
  checkpoints: Map<string, FakeCheckpoint>,
): void {
  app.post("/v1/sandboxes/:id/hibernate", async (request) => {
    const [id, machine] = machineOf(request.params);
    await begin("hibernate", id);
    machine.state = "hibernated";
    machine.sourceAddress = null;
    machine.machineId = null;
    return hibernatedSandboxSchema.parse({ sizeBytes: hibernatedBytes });
  });
  app.post("/v1/sandboxes/:id/wake", async (request) => {
    const [id, machine] = machineOf(request.params);
    const wake = wakeSandboxRequestSchema.parse(request.body);
    await begin("wake", id);
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
    const files = filesOf(checkpoints, checkpointId);
    await begin("restore", id);
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
    await begin("checkpoint", checkpointId);
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
