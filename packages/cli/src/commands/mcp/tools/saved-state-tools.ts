import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { asJson, defineTool, sandboxId, type Tool } from "./define-tool.ts";
import { describeSandbox, idleTimeout, secretStore, variables } from "./sandbox-tools.ts";

const checkpoint = defineTool(
  {
    name: "create_checkpoint",
    description:
      "Saves a running sandbox as it is at this moment, with its processes, and returns the id of the checkpoint. The sandbox continues; forks start from the checkpoint.",
    input: {
      sandboxId,
      name: z.string().min(1).describe("Unique among the checkpoints of the sandbox"),
      kind: z
        .enum(["full", "disk_only"])
        .default("full")
        .describe("full has memory and disk; disk_only has the files alone"),
    },
    hints: { title: "Save a checkpoint", destructiveHint: false },
  },
  async ({ sandboxId: id, name, kind }, connection) => {
    const sandbox = await Sandbox.connect(id, connection);
    const created = await sandbox.createCheckpoint(name, { kind, signal: connection.signal });
    return asJson({ checkpointId: created.id, sandboxId: id, name, status: created.status });
  },
);

const fork = defineTool(
  {
    name: "fork_checkpoint",
    description:
      "Creates a sandbox from a checkpoint. It continues from that moment and shares nothing with the sandbox that was saved.",
    input: {
      checkpointId: z.string().describe("Id that create_checkpoint returned"),
      secretStore,
      idleTimeoutSeconds: idleTimeout,
      envs: variables,
    },
    hints: { title: "Fork a checkpoint", destructiveHint: false },
  },
  async ({ checkpointId, idleTimeoutSeconds, ...options }, connection) => {
    const { info } = await Sandbox.createFromCheckpoint(checkpointId, {
      ...connection,
      ...options,
      timeout: idleTimeoutSeconds,
    });
    return asJson({ ...describeSandbox(info), checkpointId });
  },
);

const hibernate = defineTool(
  {
    name: "hibernate_sandbox",
    description:
      "Saves a sandbox with its memory and stops it, so that it uses no CPU and memory. Its next use wakes it, and its processes continue.",
    input: { sandboxId },
    hints: { title: "Hibernate a sandbox", destructiveHint: false, idempotentHint: true },
  },
  async ({ sandboxId: id }, connection) => {
    const sandbox = await Sandbox.connect(id, connection);
    const { status, sizeBytes } = await sandbox.hibernate({ signal: connection.signal });
    return asJson({ sandboxId: id, status, sizeBytes });
  },
);

const wake = defineTool(
  {
    name: "wake_sandbox",
    description: "Wakes a hibernated sandbox. Any other use of it does so, too.",
    input: { sandboxId },
    hints: { title: "Wake a sandbox", destructiveHint: false, idempotentHint: true },
  },
  async ({ sandboxId: id }, connection) => {
    const sandbox = await Sandbox.connect(id, connection);
    const { status } = await sandbox.wake({ signal: connection.signal });
    return asJson({ sandboxId: id, status });
  },
);

export const savedStateTools: readonly Tool[] = [checkpoint, fork, hibernate, wake];
