import { limits, resizedTerminalSchema } from "@opencomputer/protocol/api";
import {
  type AgentTerminal,
  type AgentTerminalRequest,
  type AgentTerminalSize,
  agentTerminalSchema,
} from "@opencomputer/protocol/wire";
import { type AgentCalls, type ListBounds, smallResponse } from "./agent-calls.ts";
import { type AgentStreams, createAgentStreams } from "./agent-streams.ts";

/** A guest has this long to respond to a call, also to one that waits for the end of a shell. */
const callTimeoutMilliseconds = 60_000;
const list: ListBounds = {
  bytesMax: 4 * 1024 * 1024,
  valuesMax: 16 * 1024,
  elementsMax: limits.terminalsPerSandboxMax + limits.finishedSessionsMax,
};

/** The terminals of one guest. Its responses are untrusted, so each is bounded and parsed. */
export interface AgentTerminals extends AgentStreams {
  open(request: AgentTerminalRequest): Promise<AgentTerminal>;
  list(): Promise<AgentTerminal[]>;
  /** @throws {WireError} `session_not_found`, like every method that takes an id. */
  get(terminalId: string): Promise<AgentTerminal>;
  resize(terminalId: string, size: AgentTerminalSize): Promise<void>;
  /** Ends the shell with SIGHUP, or SIGKILL when it ignores that, and removes the terminal. */
  hangUp(terminalId: string): Promise<void>;
}

export function createAgentTerminals(calls: AgentCalls): AgentTerminals {
  const { call, parse, parseList } = calls;
  const path = (route: string, query: Record<string, string> = {}) =>
    `/v1/terminals${route}?${new URLSearchParams(query)}`;
  const shortly = () => AbortSignal.timeout(callTimeoutMilliseconds);
  const post = (route: string, query: Record<string, string>, body: unknown) =>
    call({
      method: "POST",
      path: path(route, query),
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: shortly(),
    });

  return {
    open: async (request) => parse(await post("", {}, request), agentTerminalSchema, smallResponse),
    async list() {
      const response = await call({ method: "GET", path: path(""), signal: shortly() });
      return parseList(response, agentTerminalSchema, list);
    },
    async get(id) {
      const response = await call({ method: "GET", path: path("", { id }), signal: shortly() });
      return parse(response, agentTerminalSchema, smallResponse);
    },
    async resize(id, size) {
      const response = await post("/resize", { id }, size);
      await parse(response, resizedTerminalSchema, smallResponse);
    },
    async hangUp(id) {
      const response = await post("/hang-up", { id }, {});
      await parse(response, resizedTerminalSchema, smallResponse);
    },
    ...createAgentStreams(calls, path),
  };
}
