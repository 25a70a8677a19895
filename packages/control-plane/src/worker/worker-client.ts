import type { Duplex } from "node:stream";
import {
  type CommandResult,
  commandResultSchema,
  defaults,
  type RunCommandRequest,
  WireError,
} from "@opencomputer/protocol/api";
import {
  type HibernatedSandbox,
  hibernatedSandboxSchema,
  type MachineUsage,
  type MakeCheckpointRequest,
  metricsResponseSchema,
  type PrepareSandboxRequest,
  type RebootSandboxRequest,
  type RestoreSandboxRequest,
  type SandboxUse,
  sandboxUseSchema,
  type WakeSandboxRequest,
  type WorkerAutoscaleRequest,
  type WorkerCheckpoint,
  type WorkerSandbox,
  type WorkerScaleRequest,
  type WorkerStatus,
  workerCheckpointListSchema,
  workerCheckpointSchema,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
  workerUsageSchema,
} from "@opencomputer/protocol/wire";
import { createUnixSocketClient } from "../peers/unix-socket-client.ts";
import { openTunnel } from "./open-tunnel.ts";
import { createWorkerFiles, type WorkerFiles } from "./worker-files.ts";
import {
  createWorkerSessions,
  idempotencyHeaders,
  type WorkerSessions,
} from "./worker-sessions.ts";
import { createWorkerTerminals, type WorkerTerminals } from "./worker-terminals.ts";

const statusTimeoutMilliseconds = 5_000;
/** The worker accepts the certificate at once and bakes afterwards. */
const trustTimeoutMilliseconds = 30_000;
const lifecycleTimeoutMilliseconds = 120_000;
/** Memory of the largest sandbox, written to a slow disk. */
const savingTimeoutMilliseconds = 15 * 60_000;
/** How much longer than its own time-out a command's response may take. */
const commandGraceMilliseconds = 30_000;

/** The worker of this host. Errors are {@link WireError}s, the worker's own or `worker_unavailable`. */
export interface WorkerClient extends WorkerFiles {
  status(): Promise<WorkerStatus>;
  /** What the worker measures, in Prometheus' text format. */
  readMetrics(): Promise<string>;
  /** What the machines of sandboxes take of the host. */
  readUsage(): Promise<MachineUsage[]>;
  trust(certificatePem: string): Promise<void>;
  list(): Promise<WorkerSandbox[]>;
  prepare(request: PrepareSandboxRequest): Promise<WorkerSandbox>;
  start(sandboxId: string, restartSessions?: readonly string[]): Promise<WorkerSandbox>;
  /** Resolves with the same when the sandbox is hibernated already. */
  hibernate(sandboxId: string): Promise<HibernatedSandbox>;
  wake(sandboxId: string, request: WakeSandboxRequest): Promise<WorkerSandbox>;
  restore(sandboxId: string, request: RestoreSandboxRequest): Promise<WorkerSandbox>;
  /** What the worker knows of a sandbox's use. */
  useOf(sandboxId: string): Promise<SandboxUse>;
  /** Ends its machine and prepares one that boots from the disk. */
  reboot(sandboxId: string, request: RebootSandboxRequest): Promise<WorkerSandbox>;
  scale(sandboxId: string, request: WorkerScaleRequest): Promise<WorkerSandbox>;
  setAutoscale(sandboxId: string, request: WorkerAutoscaleRequest): Promise<WorkerSandbox>;
  setScalingLock(sandboxId: string, locked: boolean): Promise<WorkerSandbox>;
  /** A sandbox that does not exist counts as deleted. */
  delete(sandboxId: string): Promise<void>;
  /** Resolves when the checkpoint is complete. */
  makeCheckpoint(checkpointId: string, request: MakeCheckpointRequest): Promise<WorkerCheckpoint>;
  listCheckpoints(): Promise<WorkerCheckpoint[]>;
  /** A checkpoint that does not exist counts as deleted. */
  deleteCheckpoint(checkpointId: string): Promise<void>;
  /** @param idempotencyKey With it the same request again runs nothing again. */
  run(
    sandboxId: string,
    command: RunCommandRequest,
    signal: AbortSignal,
    idempotencyKey?: string,
  ): Promise<CommandResult>;
  readonly sessions: WorkerSessions;
  readonly terminals: WorkerTerminals;
  /** Connects to a TCP port of a sandbox's loopback. See {@link openTunnel} for what it throws. */
  openTunnel(target: { sandboxId: string; port: number }): Promise<Duplex>;
  close(): Promise<void>;
}

export function createWorkerClient(socketPath: string): WorkerClient {
  const client = createUnixSocketClient({
    socketPath,
    peer: "worker",
    unavailable: "worker_unavailable",
    quotesErrors: true,
  });
  const sandboxPath = (sandboxId: string) => `/v1/sandboxes/${sandboxId}`;
  const checkpointPath = (checkpointId: string) => `/v1/checkpoints/${checkpointId}`;

  const change = (method: "POST" | "PUT", sandboxId: string, route: string, body: object) =>
    client.request(
      {
        method,
        path: `${sandboxPath(sandboxId)}/${route}`,
        body,
        timeoutMilliseconds: lifecycleTimeoutMilliseconds,
      },
      workerSandboxSchema,
    );

  async function remove(path: string): Promise<void> {
    try {
      await client.send({
        method: "DELETE",
        path,
        timeoutMilliseconds: lifecycleTimeoutMilliseconds,
      });
    } catch (error) {
      if (!(error instanceof WireError) || error.status !== 404) throw error;
    }
  }

  return {
    status: () =>
      client.request(
        { method: "GET", path: "/v1/status", timeoutMilliseconds: statusTimeoutMilliseconds },
        workerStatusSchema,
      ),

    async readMetrics() {
      const path = "/v1/metrics";
      const request = {
        method: "GET",
        path,
        timeoutMilliseconds: statusTimeoutMilliseconds,
      } as const;
      return (await client.request(request, metricsResponseSchema)).text;
    },

    readUsage: () =>
      client.request(
        { method: "GET", path: "/v1/usage", timeoutMilliseconds: statusTimeoutMilliseconds },
        workerUsageSchema,
      ),

    trust: (certificatePem) =>
      client.send({
        method: "PUT",
        path: "/v1/trust",
        body: { certificatePem },
        timeoutMilliseconds: trustTimeoutMilliseconds,
      }),

    list: () =>
      client.request(
        { method: "GET", path: "/v1/sandboxes", timeoutMilliseconds: statusTimeoutMilliseconds },
        workerSandboxListSchema,
      ),

    prepare: (request) =>
      client.request(
        {
          method: "POST",
          path: "/v1/sandboxes",
          body: request,
          timeoutMilliseconds: lifecycleTimeoutMilliseconds,
        },
        workerSandboxSchema,
      ),

    start: (sandboxId, restartSessions = []) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/start`,
          body: { restartSessions },
          timeoutMilliseconds: lifecycleTimeoutMilliseconds,
        },
        workerSandboxSchema,
      ),

    hibernate: (sandboxId) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/hibernate`,
          timeoutMilliseconds: savingTimeoutMilliseconds,
        },
        hibernatedSandboxSchema,
      ),

    wake: (sandboxId, request) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/wake`,
          body: request,
          timeoutMilliseconds: lifecycleTimeoutMilliseconds,
        },
        workerSandboxSchema,
      ),

    restore: (sandboxId, request) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/restore`,
          body: request,
          timeoutMilliseconds: lifecycleTimeoutMilliseconds,
        },
        workerSandboxSchema,
      ),

    useOf: (sandboxId) =>
      client.request(
        {
          method: "GET",
          path: `${sandboxPath(sandboxId)}/use`,
          timeoutMilliseconds: statusTimeoutMilliseconds,
        },
        sandboxUseSchema,
      ),
    reboot: (sandboxId, request) => change("POST", sandboxId, "reboot", request),
    scale: (sandboxId, request) => change("POST", sandboxId, "scale", request),
    setAutoscale: (sandboxId, request) => change("PUT", sandboxId, "autoscale", request),
    setScalingLock: (sandboxId, locked) => change("PUT", sandboxId, "scaling-lock", { locked }),

    delete: (sandboxId) => remove(sandboxPath(sandboxId)),

    makeCheckpoint: (checkpointId, request) =>
      client.request(
        {
          method: "PUT",
          path: checkpointPath(checkpointId),
          body: request,
          timeoutMilliseconds: savingTimeoutMilliseconds,
        },
        workerCheckpointSchema,
      ),

    listCheckpoints: () =>
      client.request(
        { method: "GET", path: "/v1/checkpoints", timeoutMilliseconds: statusTimeoutMilliseconds },
        workerCheckpointListSchema,
      ),

    deleteCheckpoint: (checkpointId) => remove(checkpointPath(checkpointId)),

    run: (sandboxId, command, signal, idempotencyKey) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/exec/run`,
          headers: idempotencyHeaders(idempotencyKey),
          body: command,
          signal,
          timeoutMilliseconds:
            (command.timeout || defaults.commandTimeoutSeconds) * 1000 + commandGraceMilliseconds,
        },
        commandResultSchema,
      ),

    sessions: createWorkerSessions(client),

    terminals: createWorkerTerminals(client),

    ...createWorkerFiles(client),

    openTunnel: (target) => openTunnel(socketPath, target),

    close: () => client.close(),
  };
}
