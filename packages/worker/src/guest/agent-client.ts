import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AgentRunRequest,
  agentHealthSchema,
  agentRunResponseSchema,
  type CommandResult,
  type ConfigureGuestRequest,
  configuredGuestSchema,
  type DirectoryEntry,
  directoryListingSchema,
  type ErrorCode,
  errorBodySchema,
  type GuestLimits,
  type GuestLimitsOutcome,
  guestLimitsOutcomeSchema,
  guestUsageSchema,
  hooksOutcomeSchema,
  isErrorCode,
  limits,
  type RunHooksRequest,
  WireError,
} from "@opencomputer/protocol";
import { type Dispatcher, Pool } from "undici";
import type { z } from "zod";
import { type AgentSessions, createAgentSessions } from "./agent-sessions.ts";
import { type AgentTerminals, createAgentTerminals } from "./agent-terminals.ts";
import { type AgentTunnels, createAgentTunnels } from "./agent-tunnels.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { readBounded } from "./read-bounded.ts";
import { withDeadline } from "./with-deadline.ts";

/** Which errors a guest may give its caller. It is hostile: any other becomes `guest_failed`. */
const errorsOfGuests: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_request",
  "limit_exceeded",
  "command_not_found",
  "working_directory_not_found",
  "not_a_file",
  "not_a_directory",
  "file_not_found",
  "file_exists",
  "session_not_found",
  "forbidden",
  "directory_too_large",
  "too_many_requests",
  "guest_storage_full",
  "idempotency_key_reused",
  "port_not_listening",
]);

/** A guest has this long beyond a command's own time-out to answer. */
const answerGraceSeconds = 15;
/** A guest has this long to answer a call that runs no command. */
const callTimeoutSeconds = 60;
/** A reading that comes later says nothing any more. */
const usageTimeoutMilliseconds = 5_000;
const smallAnswerBytesMax = 64 * 1024;
const listingBytesMax = 64 * 1024 * 1024;

/** A file on its way out of a guest. `sizeBytes` is what the guest says it is. */
export interface GuestFile {
  readonly sizeBytes: number | undefined;
  readonly content: Readable;
}

/** Calls to the agent of one guest. All of its answers are untrusted, so each is bounded and parsed. */
export interface AgentClient {
  /** Returns when the agent answers. @throws {WireError} when it does not within the time. */
  waitUntilHealthy(timeoutSeconds: number): Promise<void>;
  configure(request: ConfigureGuestRequest): Promise<z.infer<typeof configuredGuestSchema>>;
  /** Returns when all processes of the guest's user stand still; `configure` may thaw them. */
  freeze(): Promise<void>;
  /** Runs the hooks of the guest's user. Returns what failed, empty when nothing did. */
  runHooks(environment: Record<string, string>): Promise<string>;
  /** Returns when everything that was written in the guest is on its disk. */
  sync(): Promise<void>;
  /** Limits the commands. What they use already can keep it from being applied. */
  limit(guestLimits: GuestLimits): Promise<GuestLimitsOutcome>;
  /** Memory that the commands use, in bytes, as the guest says. */
  memoryUsedBytes(): Promise<number>;
  /** @throws {WireError} `guest_failed` for an agent that breaks the rules or falls silent. */
  run(request: AgentRunRequest, signal?: AbortSignal): Promise<CommandResult>;
  readonly sessions: AgentSessions;
  readonly terminals: AgentTerminals;
  readonly tunnels: AgentTunnels;
  readFile(path: string, signal: AbortSignal): Promise<GuestFile>;
  writeFile(path: string, content: Readable | string, signal?: AbortSignal): Promise<void>;
  removeFile(path: string): Promise<void>;
  listDirectory(path: string): Promise<DirectoryEntry[]>;
  makeDirectory(path: string): Promise<void>;
  /** Ends every call. Done already is no error. */
  close(): Promise<void>;
}

export function createAgentClient(options: { origin: string; budget: ByteBudget }): AgentClient {
  const pool = new Pool(options.origin, {
    connections: limits.commandsPerSandboxMax + 2 * limits.attachedClientsMax + 16,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 15_000 },
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
  });

  async function call(
    request: Omit<Dispatcher.RequestOptions, "origin">,
  ): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await pool.request(request);
    } catch (error) {
      throw guestFailure("did not answer", error);
    }
    if (response.statusCode >= 200 && response.statusCode < 300) return response;
    throw await guestError(response.statusCode, response.body);
  }

  async function guestError(status: number, body: Readable): Promise<WireError> {
    const text = await read({ body }, smallAnswerBytesMax);
    const parsed = errorBodySchema.safeParse(parseJson(text));
    if (!parsed.success) return guestFailure(`answered ${status}`, undefined);
    const { code, error } = parsed.data;
    const message = error.slice(0, limits.agentErrorCharactersMax);
    return isErrorCode(code) && errorsOfGuests.has(code)
      ? new WireError(code, message)
      : new WireError("guest_failed", message);
  }

  async function read(response: { body: Readable }, bytesMax: number): Promise<string> {
    try {
      return await readBounded(response.body, { bytesMax, budget: options.budget });
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw guestFailure("broke off its answer", error);
    }
  }

  async function parse<Schema extends z.ZodType>(
    response: Dispatcher.ResponseData,
    schema: Schema,
    bytesMax: number,
  ): Promise<z.infer<Schema>> {
    const parsed = schema.safeParse(parseJson(await read(response, bytesMax)));
    if (parsed.success) return parsed.data;
    throw guestFailure("answered in an unknown form", parsed.error);
  }

  const tunnels = createAgentTunnels({
    origin: options.origin,
    guestAddress: new URL(options.origin).hostname,
    toError: guestError,
  });
  const shortly = () => AbortSignal.timeout(callTimeoutSeconds * 1000);
  const json = { "content-type": "application/json" };

  return {
    async waitUntilHealthy(timeoutSeconds) {
      const deadline = Date.now() + timeoutSeconds * 1000;
      for (;;) {
        try {
          const signal = AbortSignal.timeout(Math.max(1, Math.min(5000, deadline - Date.now())));
          const response = await call({ method: "GET", path: "/v1/health", signal });
          await parse(response, agentHealthSchema, smallAnswerBytesMax);
          return;
        } catch (error) {
          if (pool.destroyed) throw guestFailure("ended before it answered", error);
          if (Date.now() >= deadline) {
            throw guestFailure(`was silent for ${timeoutSeconds} seconds`, error);
          }
          await delay(25);
        }
      }
    },
    async configure(request) {
      const response = await call({
        method: "POST",
        path: "/v1/configure",
        headers: json,
        body: JSON.stringify(request),
        signal: shortly(),
      });
      return parse(response, configuredGuestSchema, smallAnswerBytesMax);
    },
    async freeze() {
      const request = { method: "POST", path: "/v1/freeze", signal: shortly() } as const;
      await read(await call(request), smallAnswerBytesMax);
    },
    async runHooks(environment) {
      const request: RunHooksRequest = { environment };
      const milliseconds = (limits.forkHooksTimeoutSecondsMax + answerGraceSeconds) * 1000;
      const response = await call({
        method: "POST",
        path: "/v1/hooks",
        headers: json,
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(milliseconds),
      });
      const { failure } = await parse(response, hooksOutcomeSchema, smallAnswerBytesMax);
      return failure.replaceAll("\0", "\uFFFD").slice(0, limits.forkHooksFailureBytesMax);
    },
    async sync() {
      const request = { method: "POST", path: "/v1/sync", signal: shortly() } as const;
      await read(await call(request), smallAnswerBytesMax);
    },
    async limit(guestLimits) {
      const response = await call({
        method: "POST",
        path: "/v1/limits",
        headers: json,
        body: JSON.stringify(guestLimits),
        signal: shortly(),
      });
      return parse(response, guestLimitsOutcomeSchema, smallAnswerBytesMax);
    },
    async memoryUsedBytes() {
      const signal = AbortSignal.timeout(usageTimeoutMilliseconds);
      const response = await call({ method: "GET", path: "/v1/usage", signal });
      return (await parse(response, guestUsageSchema, smallAnswerBytesMax)).memoryUsedBytes;
    },
    async run(request, signal) {
      const milliseconds = request.timeoutMilliseconds + answerGraceSeconds * 1000;
      return withDeadline(milliseconds, signal === undefined ? [] : [signal], async (deadline) => {
        const response = await call({
          method: "POST",
          path: "/v1/exec/run",
          headers: json,
          body: JSON.stringify(request),
          signal: deadline,
        });
        return parse(response, agentRunResponseSchema, limits.agentAnswerBytesMax);
      });
    },
    sessions: createAgentSessions({ call, parse }),
    terminals: createAgentTerminals({ call, parse }),
    tunnels,
    async readFile(path, signal) {
      const response = await call({ method: "GET", path: filesPath("files", path), signal });
      const length = Number(response.headers["content-length"]);
      return {
        sizeBytes: Number.isSafeInteger(length) && length >= 0 ? length : undefined,
        content: response.body,
      };
    },
    async writeFile(path, content, signal) {
      const response = await call({
        method: "PUT",
        path: filesPath("files", path),
        headers: { "content-type": "application/octet-stream" },
        body: content,
        ...(signal === undefined ? {} : { signal }),
      });
      await read(response, smallAnswerBytesMax);
    },
    async removeFile(path) {
      const request = {
        method: "DELETE",
        path: filesPath("files", path),
        signal: shortly(),
      } as const;
      await read(await call(request), smallAnswerBytesMax);
    },
    async listDirectory(path) {
      const response = await call({
        method: "GET",
        path: filesPath("files/list", path),
        signal: shortly(),
      });
      return parse(response, directoryListingSchema, listingBytesMax);
    },
    async makeDirectory(path) {
      const request = {
        method: "POST",
        path: filesPath("files/mkdir", path),
        signal: shortly(),
      } as const;
      await read(await call(request), smallAnswerBytesMax);
    },
    async close() {
      tunnels.close();
      if (!pool.destroyed) await pool.destroy();
    },
  };
}

function filesPath(route: string, path: string): string {
  return `/v1/${route}?${new URLSearchParams({ path })}`;
}

function guestFailure(what: string, cause: unknown): WireError {
  return new WireError("guest_failed", `The agent in the sandbox ${what}`, { cause });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw guestFailure("sent an answer that is no JSON", error);
  }
}
