import type { Readable } from "node:stream";
import {
  type CommandResult,
  commandResultSchema,
  type DirectoryEntry,
  defaults,
  directoryListingSchema,
  type HibernatedSandbox,
  hibernatedSandboxSchema,
  type MakeCheckpointRequest,
  type PrepareSandboxRequest,
  type RebootSandboxRequest,
  type RestoreSandboxRequest,
  type RunCommandRequest,
  type SandboxUse,
  sandboxUseSchema,
  type WakeSandboxRequest,
  WireError,
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
} from "@opencomputer/protocol";
import { createUnixSocketClient, type StreamedAnswer } from "../unix-socket-client.ts";
import {
  createWorkerSessions,
  idempotencyHeaders,
  type WorkerSessions,
} from "./worker-sessions.ts";
import { createWorkerTerminals, type WorkerTerminals } from "./worker-terminals.ts";

const statusTimeoutMilliseconds = 5_000;
/** A bake happens elsewhere; trust itself is quick to accept. */
const trustTimeoutMilliseconds = 30_000;
const lifecycleTimeoutMilliseconds = 120_000;
/** Memory of the largest sandbox, written to a slow disk. */
const savingTimeoutMilliseconds = 15 * 60_000;
/** What a command may take on top of its own time-out. */
const commandGraceMilliseconds = 30_000;
const fileTimeoutMilliseconds = 60_000;

/** The worker of this host. Errors are {@link WireError}s, the worker's own or `worker_unavailable`. */
export interface WorkerClient {
  status(): Promise<WorkerStatus>;
  trust(certificatePem: string): Promise<void>;
  list(): Promise<WorkerSandbox[]>;
  prepare(request: PrepareSandboxRequest): Promise<WorkerSandbox>;
  start(sandboxId: string, restartSessions?: readonly string[]): Promise<WorkerSandbox>;
  /** A sandbox that is hibernated answers the same again. */
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
  /** A sandbox that is not there counts as deleted. */
  delete(sandboxId: string): Promise<void>;
  /** Resolves when the checkpoint is complete. */
  makeCheckpoint(checkpointId: string, request: MakeCheckpointRequest): Promise<WorkerCheckpoint>;
  listCheckpoints(): Promise<WorkerCheckpoint[]>;
  /** A checkpoint that is not there counts as deleted. */
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
  readFile(sandboxId: string, path: string, signal: AbortSignal): Promise<StreamedAnswer>;
  writeFile(
    sandboxId: string,
    path: string,
    content: { body: Readable; length: string | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  deleteFile(sandboxId: string, path: string): Promise<void>;
  listDirectory(sandboxId: string, path: string): Promise<DirectoryEntry[]>;
  makeDirectory(sandboxId: string, path: string): Promise<void>;
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
  const filePath = (sandboxId: string, route: string, path: string) =>
    `${sandboxPath(sandboxId)}/${route}?path=${encodeURIComponent(path)}`;

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

    readFile: (sandboxId, path, signal) =>
      client.stream({ method: "GET", path: filePath(sandboxId, "files", path), signal }),

    async writeFile(sandboxId, path, { body, length }, signal) {
      const answer = await client.stream({
        method: "PUT",
        path: filePath(sandboxId, "files", path),
        body,
        headers: {
          "content-type": "application/octet-stream",
          ...(length === undefined ? {} : { "content-length": length }),
        },
        signal,
      });
      answer.body.resume();
    },

    deleteFile: (sandboxId, path) =>
      client.send({
        method: "DELETE",
        path: filePath(sandboxId, "files", path),
        timeoutMilliseconds: fileTimeoutMilliseconds,
      }),

    listDirectory: (sandboxId, path) =>
      client.request(
        {
          method: "GET",
          path: filePath(sandboxId, "files/list", path),
          timeoutMilliseconds: fileTimeoutMilliseconds,
        },
        directoryListingSchema,
      ),

    makeDirectory: (sandboxId, path) =>
      client.send({
        method: "POST",
        path: filePath(sandboxId, "files/mkdir", path),
        timeoutMilliseconds: fileTimeoutMilliseconds,
      }),

    close: () => client.close(),
  };
}
