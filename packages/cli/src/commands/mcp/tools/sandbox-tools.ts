import { limits, Sandbox, type SandboxSummary } from "@opencomputer/sdk";
import { z } from "zod";
import { asJson, defineTool, sandboxId, type Tool } from "./define-tool.ts";

/** Sandboxes that one call lists. */
const listedSandboxesMax = 200;

export const idleTimeout = z
  .int()
  .min(0)
  .describe("Idle time in seconds after which it hibernates; 0 is never. Default 300")
  .optional();
export const variables = z
  .record(z.string(), z.string())
  .describe("Environment variables; never put a secret here")
  .optional();
export const secretStore = z
  .string()
  .describe("Name of the secret store whose secrets it gets, as sealed tokens")
  .optional();

const create = defineTool(
  {
    name: "create_sandbox",
    description:
      "Creates a sandbox, which is a separate Linux virtual machine, and returns its id. Commands run as the user sandbox, who may use sudo.",
    input: {
      secretStore,
      project: z.string().describe("Name of the project whose defaults it gets").optional(),
      snapshot: z.string().describe("Name of the snapshot that it starts from").optional(),
      idleTimeoutSeconds: idleTimeout,
      cpuCount: z.int().min(limits.cpuCountMin).max(limits.cpuCountMax).optional(),
      memoryMB: z.int().min(limits.memoryMBMin).max(limits.memoryMBMax).optional(),
      envs: variables,
      metadata: z
        .record(z.string(), z.string())
        .describe("Labels; the sandbox does not see them")
        .optional(),
    },
    hints: { title: "Create a sandbox", destructiveHint: false },
  },
  async ({ idleTimeoutSeconds, ...options }, connection) => {
    const { info } = await Sandbox.create({
      ...connection,
      ...options,
      timeout: idleTimeoutSeconds,
    });
    return asJson(describeSandbox(info));
  },
);

const list = defineTool(
  {
    name: "list_sandboxes",
    description: `Lists the running and hibernated sandboxes, at most ${listedSandboxesMax} of them.`,
    input: { status: z.enum(["running", "hibernated"]).optional() },
    hints: { title: "List sandboxes", readOnlyHint: true },
  },
  async ({ status }, connection) => {
    const sandboxes = await Sandbox.list({ ...connection, status });
    return asJson({
      sandboxes: sandboxes.slice(0, listedSandboxesMax).map(describeSandbox),
      leftOut: Math.max(0, sandboxes.length - listedSandboxesMax),
    });
  },
);

const kill = defineTool(
  {
    name: "kill_sandbox",
    description: "Ends a sandbox and deletes its files and processes. Checkpoints of it stay.",
    input: { sandboxId },
    hints: { title: "Kill a sandbox", destructiveHint: true },
  },
  async ({ sandboxId: id }, connection) => {
    await Sandbox.kill(id, connection);
    return asJson({ sandboxId: id, status: "stopped" });
  },
);

const createPreview = defineTool(
  {
    name: "create_preview",
    description:
      "Returns a URL at which a server that listens on a TCP port in the sandbox can be reached from outside over HTTP and WebSocket.",
    input: { sandboxId, port: z.int().min(1).max(65_535).describe("Port of the server") },
    hints: { title: "Create a preview URL", destructiveHint: false, idempotentHint: true },
  },
  async ({ sandboxId: id, port }, connection) => {
    const sandbox = await Sandbox.connect(id, connection);
    const { url } = await sandbox.createPreviewURL({ port, signal: connection.signal });
    return asJson({ sandboxId: id, port, url });
  },
);

export const sandboxTools: readonly Tool[] = [create, list, kill, createPreview];

/** What an agent needs to know of a sandbox; its tokens are not among it. */
export function describeSandbox(
  sandbox: Pick<
    SandboxSummary,
    "sandboxID" | "status" | "cpuCount" | "memoryMB" | "startedAt" | "endAt" | "metadata"
  >,
) {
  const { sandboxID, status, cpuCount, memoryMB, startedAt, endAt, metadata } = sandbox;
  return { sandboxId: sandboxID, status, cpuCount, memoryMB, startedAt, endAt, metadata };
}
