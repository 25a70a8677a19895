import {
  type AsyncCommand,
  asyncCommandSchema,
  type CommandProgress,
  type CommandSession,
  commandProgressSchema,
  commandSessionListSchema,
  commandSessionSchema,
  idempotencyKeyHeader,
  type RunCommandRequest,
  type StartSessionRequest,
} from "@opencomputer/protocol/api";
import type { UnixSocketClient } from "../peers/unix-socket-client.ts";
import { createWorkerStreams, pathsBelow, type WorkerStreams } from "./worker-streams.ts";

const callTimeoutMilliseconds = 90_000;

/** Commands that outlive the call which started them, on the worker's side. */
export interface WorkerSessions extends WorkerStreams {
  /** @param idempotencyKey With it the same request again starts nothing again. */
  start(
    sandboxId: string,
    request: StartSessionRequest,
    idempotencyKey: string | undefined,
  ): Promise<CommandSession>;
  /** @param idempotencyKey As of {@link start}. */
  runAsync(
    sandboxId: string,
    command: RunCommandRequest,
    idempotencyKey: string | undefined,
  ): Promise<AsyncCommand>;
  list(sandboxId: string): Promise<CommandSession[]>;
  /** @throws {WireError} `session_not_found`, as all that take an id. */
  get(sandboxId: string, sessionId: string): Promise<CommandSession>;
  result(sandboxId: string, sessionId: string, signal: AbortSignal): Promise<CommandProgress>;
  kill(sandboxId: string, sessionId: string, signal: number | undefined): Promise<void>;
}

export function createWorkerSessions(client: UnixSocketClient): WorkerSessions {
  const pathOf = pathsBelow("exec");
  const timeoutMilliseconds = callTimeoutMilliseconds;

  return {
    start: (sandboxId, body, idempotencyKey) =>
      client.request(
        {
          method: "POST",
          path: pathOf(sandboxId),
          headers: idempotencyHeaders(idempotencyKey),
          body,
          timeoutMilliseconds,
        },
        commandSessionSchema,
      ),
    runAsync: (sandboxId, body, idempotencyKey) =>
      client.request(
        {
          method: "POST",
          path: pathOf(sandboxId, "run-async"),
          headers: idempotencyHeaders(idempotencyKey),
          body,
          timeoutMilliseconds,
        },
        asyncCommandSchema,
      ),
    list: (sandboxId) =>
      client.request(
        { method: "GET", path: pathOf(sandboxId), timeoutMilliseconds },
        commandSessionListSchema,
      ),
    get: (sandboxId, sessionId) =>
      client.request(
        { method: "GET", path: pathOf(sandboxId, sessionId), timeoutMilliseconds },
        commandSessionSchema,
      ),
    result: (sandboxId, sessionId, signal) =>
      client.request(
        {
          method: "GET",
          path: pathOf(sandboxId, sessionId, "result"),
          timeoutMilliseconds,
          signal,
        },
        commandProgressSchema,
      ),
    kill: (sandboxId, sessionId, signal) =>
      client.send({
        method: "POST",
        path: pathOf(sandboxId, sessionId, "kill"),
        body: { signal },
        timeoutMilliseconds,
      }),
    ...createWorkerStreams(client, pathOf),
  };
}

/** The header of a command that has a key. */
export function idempotencyHeaders(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { [idempotencyKeyHeader]: key };
}
