import type { Readable } from "node:stream";
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
} from "@opencomputer/protocol";
import type { UnixSocketClient } from "../unix-socket-client.ts";

const callTimeoutMilliseconds = 90_000;

/** Commands that outlive the call which started them, on the worker's side. */
export interface WorkerSessions {
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
  /** Attaches: the session's stream, as it comes from the guest. */
  output(sandboxId: string, sessionId: string, signal: AbortSignal): Promise<Readable>;
  /** Passes octets on to the command; when they end, its input ends. */
  input(sandboxId: string, sessionId: string, octets: Readable, signal: AbortSignal): Promise<void>;
}

export function createWorkerSessions(client: UnixSocketClient): WorkerSessions {
  const pathOf = (sandboxId: string, ...rest: string[]) =>
    ["/v1/sandboxes", sandboxId, "exec", ...rest.map(encodeURIComponent)].join("/");
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
    async output(sandboxId, sessionId, signal) {
      const path = pathOf(sandboxId, sessionId, "output");
      return (await client.stream({ method: "GET", path, signal })).body;
    },
    async input(sandboxId, sessionId, octets, signal) {
      const answer = await client.stream({
        method: "POST",
        path: pathOf(sandboxId, sessionId, "input"),
        body: octets,
        headers: { "content-type": "application/octet-stream" },
        signal,
      });
      answer.body.resume();
    },
  };
}

/** The header of a command that has a key. */
export function idempotencyHeaders(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { [idempotencyKeyHeader]: key };
}
