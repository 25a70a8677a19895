import { randomBytes, randomUUID } from "node:crypto";
import {
  type CheckpointRecord,
  checkpointRecordSchema,
  createCheckpointRequestSchema,
  createdPatchSchema,
  createdSandboxSchema,
  createPatchRequestSchema,
  defaults,
  forkRequestSchema,
  hibernateResponseSchema,
  type PatchRecord,
  patchRecordSchema,
  restoredCheckpointSchema,
  WireError,
  wakeSandboxBodySchema,
  wokenSandboxSchema,
} from "@opencomputer/protocol/api";
import type { Exchange, Route } from "./route.ts";
import { type FakeSandbox, findKnownSandbox, type SandboxState } from "./sandbox-routes.ts";

const orgId = randomUUID();

/** A checkpoint of the contract server. */
export interface FakeCheckpoint {
  row: CheckpointRecord;
  /** The sandbox as it was. */
  sandbox: FakeSandbox;
  patches: PatchRecord[];
}

export type CheckpointState = Map<string, FakeCheckpoint>;

/** Hibernation, checkpoints, forks and patches, without a machine behind them. */
export function checkpointRoutes(
  sandboxes: SandboxState,
  checkpoints: CheckpointState,
  sessionIds: () => string[],
): Route[] {
  function find(exchange: Exchange): FakeCheckpoint {
    const id = exchange.parameter("cid");
    const checkpoint = checkpoints.get(id);
    if (checkpoint !== undefined) return checkpoint;
    throw new WireError("checkpoint_not_found", `checkpoint not found: ${id}`);
  }

  function ofSandbox(exchange: Exchange): FakeCheckpoint[] {
    const id = exchange.parameter("id");
    return [...checkpoints.values()].filter(({ row }) => row.sandboxId === id);
  }

  return [
    {
      method: "POST",
      path: "/sandboxes/:id/hibernate",
      async handle(exchange) {
        const { detail } = findPresent(sandboxes, exchange);
        detail.status = "hibernated";
        const { sandboxID } = detail;
        const body = { sandboxID, status: "hibernated" as const, sizeBytes: 300 * 1024 * 1024 };
        await exchange.respond(200, hibernateResponseSchema, body);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/wake",
      async handle(exchange) {
        const { detail } = findPresent(sandboxes, exchange);
        const { timeout } = await exchange.body(wakeSandboxBodySchema);
        if (typeof timeout === "number") {
          detail.endAt = new Date(Date.now() + timeout * 1000).toISOString();
        }
        detail.status = "running";
        const { sandboxID, sandboxDomain, token } = detail;
        const body = { sandboxID, status: "running" as const, sandboxDomain, token };
        await exchange.respond(200, wokenSandboxSchema, body);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/checkpoints",
      async handle(exchange) {
        const sandbox = findPresent(sandboxes, exchange);
        const { name, kind } = await exchange.body(createCheckpointRequestSchema);
        if (ofSandbox(exchange).some(({ row }) => row.name === name)) {
          throw new WireError("name_in_use", `A checkpoint named ${JSON.stringify(name)} exists`);
        }
        const { sandboxID, templateID, cpuCount, memoryMB, idle } = sandbox.detail;
        const timeout = defaults.idleTimeoutSeconds;
        const row: CheckpointRecord = {
          ...{ id: randomUUID(), sandboxId: sandboxID, orgId, name, kind: kind ?? "full" },
          sandboxConfig: { templateID, cpuCount, memoryMB, timeout, idle },
          ...{ status: "processing", sizeBytes: 0, isPublic: false },
          createdAt: new Date().toISOString(),
        };
        await exchange.respond(201, checkpointRecordSchema, row);
        const ready: CheckpointRecord = { ...row, status: "ready", sizeBytes: 4096 };
        checkpoints.set(row.id, { row: ready, sandbox: structuredClone(sandbox), patches: [] });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/checkpoints",
      async handle(exchange) {
        findKnownSandbox(sandboxes, exchange);
        const rows = ofSandbox(exchange).map(({ row }) => row);
        await exchange.respond(200, checkpointRecordSchema.array(), rows);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/checkpoints/:cid/restore",
      async handle(exchange) {
        const { detail } = findPresent(sandboxes, exchange);
        const { row } = find(exchange);
        const body = { sandboxId: detail.sandboxID, checkpointId: row.id, status: "restoring" };
        await exchange.respond(200, restoredCheckpointSchema, { ...body, status: "restoring" });
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/:id/checkpoints/:cid",
      handle(exchange) {
        checkpoints.delete(find(exchange).row.id);
        exchange.done();
      },
    },
    {
      method: "POST",
      path: "/sandboxes/from-checkpoint/:cid",
      async handle(exchange) {
        const { row, sandbox } = find(exchange);
        const request = await exchange.body(forkRequestSchema);
        const unknown = request.restartSessions?.find((id) => !sessionIds().includes(id));
        if (unknown !== undefined) throw new WireError("session_not_found", `no ${unknown}`);
        const sandboxID = `sb-${randomBytes(20).map((byte) => 97 + (byte % 26))}`;
        const fork = structuredClone(sandbox);
        Object.assign(fork.environment, request.envs);
        Object.assign(fork.detail, {
          ...{ sandboxID, status: "running", startedAt: new Date().toISOString() },
          idle: request.idle ?? fork.detail.idle,
          memoryMB: request.memoryMB || fork.detail.memoryMB,
          metadata: request.metadata ?? fork.detail.metadata,
          ...(request.secretStore ? { secretStore: request.secretStore } : {}),
        });
        fork.allowedHosts.sandboxID = sandboxID;
        sandboxes.set(sandboxID, fork);
        const body = { ...fork.detail, fromCheckpointId: row.id };
        await exchange.respond(201, createdSandboxSchema, body);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/checkpoints/:cid/patches",
      async handle(exchange) {
        const { row, patches } = find(exchange);
        const { script, description } = await exchange.body(createPatchRequestSchema);
        const patch: PatchRecord = {
          ...{ id: randomUUID(), checkpointId: row.id, sequence: patches.length + 1 },
          ...{ script, description: description ?? "", strategy: "on_wake" },
          createdAt: new Date().toISOString(),
        };
        patches.push(patch);
        await exchange.respond(201, createdPatchSchema, { patch });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/checkpoints/:cid/patches",
      async handle(exchange) {
        await exchange.respond(200, patchRecordSchema.array(), find(exchange).patches);
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/checkpoints/:cid/patches/:pid",
      handle(exchange) {
        const { patches } = find(exchange);
        const index = patches.findIndex(({ id }) => id === exchange.parameter("pid"));
        if (index === -1) throw new WireError("patch_not_found", "patch not found");
        patches.splice(index, 1);
        exchange.done();
      },
    },
  ];
}

/** A sandbox that runs or is hibernated. */
function findPresent(sandboxes: SandboxState, exchange: Exchange): FakeSandbox {
  const sandbox = findKnownSandbox(sandboxes, exchange);
  if (sandbox.detail.status !== "stopped") return sandbox;
  throw new WireError("sandbox_not_running", `Sandbox ${sandbox.detail.sandboxID} is stopped`);
}
