import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CommandResult,
  type DirectoryEntry,
  directoryEntrySchema,
  limits,
  toStorableText,
} from "@opencomputer/protocol/api";
import {
  type AgentRunRequest,
  agentHealthSchema,
  agentRunResponseSchema,
  type ConfigureGuestRequest,
  configuredGuestSchema,
  type GuestLimits,
  type GuestLimitsOutcome,
  guestLimitsOutcomeSchema,
  guestUsageSchema,
  hooksOutcomeSchema,
  type RunHooksRequest,
} from "@opencomputer/protocol/wire";
import type { z } from "zod";
import {
  guestFailure,
  type ListBounds,
  openAgentConnections,
  outcomeResponse,
  smallResponse,
} from "./agent-calls.ts";
import { type AgentSessions, createAgentSessions } from "./agent-sessions.ts";
import { type AgentTerminals, createAgentTerminals } from "./agent-terminals.ts";
import { type AgentTunnels, createAgentTunnels } from "./agent-tunnels.ts";
import { type ByteBudget, withDeadline } from "./guest-bounds.ts";

/** A guest has this long beyond a command's own timeout to respond. */
const responseGraceSeconds = 15;
/** A guest has this long to respond to a call that runs no command. */
const callTimeoutSeconds = 60;
const timeoutNoticeCharactersMax = 64;
/** A measurement that arrives later is out of date. */
const usageTimeoutMilliseconds = 5_000;
const listing: ListBounds = {
  bytesMax: 64 * 1024 * 1024,
  valuesMax: 6 * limits.directoryEntriesMax,
  elementsMax: limits.directoryEntriesMax,
};

/** A file that is read from a guest. `sizeBytes` is what the guest reports. */
export interface GuestFile {
  readonly sizeBytes: number | undefined;
  readonly content: Readable;
}

/** Calls to the agent of one guest. Its responses are untrusted, so each is bounded and parsed. */
export interface AgentClient {
  /** Returns when the agent responds. @throws {WireError} when it does not within the time. */
  waitUntilHealthy(timeoutSeconds: number): Promise<void>;
  configure(request: ConfigureGuestRequest): Promise<z.infer<typeof configuredGuestSchema>>;
  /** Returns when all processes of the guest's user are frozen; `configure` may thaw them. */
  freeze(): Promise<void>;
  /** Runs the hooks of the guest's user. Returns a description of the failure, empty when there is none. */
  runHooks(environment: Record<string, string>): Promise<string>;
  /** Returns when everything that was written in the guest is on its disk. */
  sync(): Promise<void>;
  /** Sets the limits of the commands. They cannot be applied when the commands already use more. */
  limit(guestLimits: GuestLimits): Promise<GuestLimitsOutcome>;
  /** Memory that the commands use, in bytes, as the guest reports it. */
  memoryUsedBytes(): Promise<number>;
  /** @throws {WireError} `guest_failed` for an agent that violates the protocol or does not respond. */
  run(request: AgentRunRequest, signal?: AbortSignal): Promise<CommandResult>;
  readonly sessions: AgentSessions;
  readonly terminals: AgentTerminals;
  readonly tunnels: AgentTunnels;
  readFile(path: string, signal: AbortSignal): Promise<GuestFile>;
  writeFile(path: string, content: Readable | string, signal?: AbortSignal): Promise<void>;
  removeFile(path: string): Promise<void>;
  listDirectory(path: string): Promise<DirectoryEntry[]>;
  makeDirectory(path: string): Promise<void>;
  /** Ends every call. Idempotent. */
  close(): Promise<void>;
}

export function createAgentClient(options: { origin: string; budget: ByteBudget }): AgentClient {
  const connections = openAgentConnections(options);
  const { call, read, parse, parseList } = connections;
  const tunnels = createAgentTunnels({
    origin: options.origin,
    guestAddress: new URL(options.origin).hostname,
    toError: connections.toError,
  });
  const shortly = () => AbortSignal.timeout(callTimeoutSeconds * 1000);
  const post = (path: string, body: unknown, signal: AbortSignal) =>
    call({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });

  return {
    async waitUntilHealthy(timeoutSeconds) {
      const deadline = performance.now() + timeoutSeconds * 1000;
      for (;;) {
        try {
          const leftMilliseconds = Math.ceil(deadline - performance.now());
          const signal = AbortSignal.timeout(Math.max(1, Math.min(5000, leftMilliseconds)));
          const response = await call({ method: "GET", path: "/v1/health", signal });
          await parse(response, agentHealthSchema, smallResponse);
          return;
        } catch (error) {
          if (connections.isClosed()) throw guestFailure("ended before it responded", error);
          if (performance.now() >= deadline) {
            throw guestFailure(`did not respond for ${timeoutSeconds} seconds`, error);
          }
          await delay(25);
        }
      }
    },
    async configure(request) {
      const response = await post("/v1/configure", request, shortly());
      return parse(response, configuredGuestSchema, smallResponse);
    },
    async freeze() {
      const request = { method: "POST", path: "/v1/freeze", signal: shortly() } as const;
      await read(await call(request), smallResponse.bytesMax);
    },
    async runHooks(environment) {
      const request: RunHooksRequest = { environment };
      const milliseconds = (limits.forkHooksTimeoutSecondsMax + responseGraceSeconds) * 1000;
      const response = await post("/v1/hooks", request, AbortSignal.timeout(milliseconds));
      const { failure } = await parse(response, hooksOutcomeSchema, smallResponse);
      return toStorableText(failure.slice(0, limits.forkHooksFailureBytesMax));
    },
    async sync() {
      const request = { method: "POST", path: "/v1/sync", signal: shortly() } as const;
      await read(await call(request), smallResponse.bytesMax);
    },
    async limit(guestLimits) {
      const response = await post("/v1/limits", guestLimits, shortly());
      return parse(response, guestLimitsOutcomeSchema, smallResponse);
    },
    async memoryUsedBytes() {
      const signal = AbortSignal.timeout(usageTimeoutMilliseconds);
      const response = await call({ method: "GET", path: "/v1/usage", signal });
      return (await parse(response, guestUsageSchema, smallResponse)).memoryUsedBytes;
    },
    async run(request, signal) {
      const milliseconds = request.timeoutMilliseconds + responseGraceSeconds * 1000;
      return withDeadline(milliseconds, signal === undefined ? [] : [signal], async (deadline) => {
        const response = await post("/v1/exec/run", request, deadline);
        const result = await parse(response, agentRunResponseSchema, outcomeResponse);
        assertOutputWithin(result, request.outputBytesMax);
        return result;
      });
    },
    sessions: createAgentSessions(connections),
    terminals: createAgentTerminals(connections),
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
      await read(response, smallResponse.bytesMax);
    },
    async removeFile(path) {
      const request = {
        method: "DELETE",
        path: filesPath("files", path),
        signal: shortly(),
      } as const;
      await read(await call(request), smallResponse.bytesMax);
    },
    async listDirectory(path) {
      const response = await call({
        method: "GET",
        path: filesPath("files/list", path),
        signal: shortly(),
      });
      return parseList(response, directoryEntrySchema, listing);
    },
    async makeDirectory(path) {
      const request = {
        method: "POST",
        path: filesPath("files/mkdir", path),
        signal: shortly(),
      } as const;
      await read(await call(request), smallResponse.bytesMax);
    },
    async close() {
      tunnels.close();
      await connections.close();
    },
  };
}

/** Each byte is at most one character; the notice of a time-out comes on top. */
function assertOutputWithin({ stdout, stderr }: CommandResult, bytesMax: number): void {
  if (Math.max(stdout.length, stderr.length) <= bytesMax + timeoutNoticeCharactersMax) return;
  throw guestFailure(`sent more output than the ${bytesMax} bytes that it was to keep`, undefined);
}

function filesPath(route: string, path: string): string {
  return `/v1/${route}?${new URLSearchParams({ path })}`;
}
