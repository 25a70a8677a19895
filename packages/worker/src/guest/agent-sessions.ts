import { type CommandProgress, killedSessionSchema, limits } from "@opencomputer/protocol/api";
import {
  type AgentSession,
  type AgentSessionRequest,
  agentSessionResultSchema,
  agentSessionSchema,
} from "@opencomputer/protocol/wire";
import { type AgentCalls, type ListBounds, outcomeResponse, smallResponse } from "./agent-calls.ts";
import { type AgentStreams, createAgentStreams } from "./agent-streams.ts";

/** A guest has this long to respond to a call that waits for nothing. */
const callTimeoutMilliseconds = 60_000;
const sessionsMax = limits.commandsPerSandboxMax + limits.finishedSessionsMax;
const list: ListBounds = {
  bytesMax: 64 * 1024 * 1024,
  valuesMax: sessionsMax * smallResponse.valuesMax,
  elementsMax: sessionsMax,
};

/** The sessions of one guest. Its responses are untrusted, so each is bounded and parsed. */
export interface AgentSessions extends AgentStreams {
  start(request: AgentSessionRequest): Promise<AgentSession>;
  list(): Promise<AgentSession[]>;
  /** @throws {WireError} `session_not_found`, like every method that takes an id. */
  get(sessionId: string): Promise<AgentSession>;
  kill(sessionId: string, signal: number): Promise<void>;
  /**
   * Waits for the command to end, and returns the output so far and the exit
   * code if it has ended. `forget` removes a session that has ended.
   */
  result(
    sessionId: string,
    options: { waitMilliseconds: number; forget: boolean },
  ): Promise<CommandProgress>;
}

export function createAgentSessions(calls: AgentCalls): AgentSessions {
  const { call, parse, parseList } = calls;
  const path = (route: string, query: Record<string, string> = {}) =>
    `/v1/sessions${route}?${new URLSearchParams(query)}`;
  const within = (milliseconds: number) => AbortSignal.timeout(milliseconds);

  return {
    async start(request) {
      const response = await call({
        method: "POST",
        path: path(""),
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...request, asRoot: false }),
        signal: within(callTimeoutMilliseconds),
      });
      return parse(response, agentSessionSchema, smallResponse);
    },
    async list() {
      const signal = within(callTimeoutMilliseconds);
      const response = await call({ method: "GET", path: path(""), signal });
      return parseList(response, agentSessionSchema, list);
    },
    async get(id) {
      const signal = within(callTimeoutMilliseconds);
      const response = await call({ method: "GET", path: path("", { id }), signal });
      return parse(response, agentSessionSchema, smallResponse);
    },
    async kill(id, number) {
      const response = await call({
        method: "POST",
        path: path("/kill", { id, signal: String(number) }),
        signal: within(callTimeoutMilliseconds),
      });
      await parse(response, killedSessionSchema, smallResponse);
    },
    async result(id, { waitMilliseconds, forget }) {
      const query = { id, waitMilliseconds: String(waitMilliseconds), forget: forget ? "1" : "0" };
      const response = await call({
        method: "GET",
        path: path("/result", query),
        signal: within(callTimeoutMilliseconds + waitMilliseconds),
      });
      return parse(response, agentSessionResultSchema, outcomeResponse);
    },
    ...createAgentStreams(calls, path),
  };
}
