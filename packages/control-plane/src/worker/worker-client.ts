import type { Readable } from "node:stream";
import {
  type CommandResult,
  commandResultSchema,
  type DirectoryEntry,
  defaults,
  directoryListingSchema,
  type PrepareSandboxRequest,
  type RunCommandRequest,
  WireError,
  type WorkerSandbox,
  type WorkerStatus,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
} from "@opencomputer/protocol";
import { createUnixSocketClient, type StreamedAnswer } from "../unix-socket-client.ts";

const statusTimeoutMilliseconds = 5_000;
/** A bake happens elsewhere; trust itself is quick to accept. */
const trustTimeoutMilliseconds = 30_000;
const lifecycleTimeoutMilliseconds = 120_000;
/** What a command may take on top of its own time-out. */
const commandGraceMilliseconds = 30_000;
const fileTimeoutMilliseconds = 60_000;

/** The worker of this host. Errors are {@link WireError}s, the worker's own or `worker_unavailable`. */
export interface WorkerClient {
  status(): Promise<WorkerStatus>;
  trust(certificatePem: string): Promise<void>;
  list(): Promise<WorkerSandbox[]>;
  prepare(request: PrepareSandboxRequest): Promise<WorkerSandbox>;
  start(sandboxId: string): Promise<void>;
  /** A sandbox that is not there counts as deleted. */
  delete(sandboxId: string): Promise<void>;
  run(sandboxId: string, command: RunCommandRequest, signal: AbortSignal): Promise<CommandResult>;
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
  const filePath = (sandboxId: string, route: string, path: string) =>
    `${sandboxPath(sandboxId)}/${route}?path=${encodeURIComponent(path)}`;

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

    start: (sandboxId) =>
      client.send({
        method: "POST",
        path: `${sandboxPath(sandboxId)}/start`,
        timeoutMilliseconds: lifecycleTimeoutMilliseconds,
      }),

    async delete(sandboxId) {
      try {
        await client.send({
          method: "DELETE",
          path: sandboxPath(sandboxId),
          timeoutMilliseconds: lifecycleTimeoutMilliseconds,
        });
      } catch (error) {
        if (!(error instanceof WireError) || error.status !== 404) throw error;
      }
    },

    run: (sandboxId, command, signal) =>
      client.request(
        {
          method: "POST",
          path: `${sandboxPath(sandboxId)}/exec/run`,
          body: command,
          signal,
          timeoutMilliseconds:
            (command.timeout || defaults.commandTimeoutSeconds) * 1000 + commandGraceMilliseconds,
        },
        commandResultSchema,
      ),

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
