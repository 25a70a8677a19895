import {
  type CommandResult,
  type DirectoryEntry,
  directoryListingSchema,
  errorBodySchema,
} from "@opencomputer/protocol/api";
import {
  type AgentRunRequest,
  agentRunResponseSchema,
  type ConfigureGuestRequest,
  configuredGuestSchema,
} from "@opencomputer/protocol/wire";
import type { z } from "zod";

const outputBytesMax = 32 * 1024 * 1024;

/** An error response of the agent. */
export class AgentError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "AgentError";
    this.status = status;
    this.code = code;
  }
}

/** The agent's routes as calls, whose responses are parsed as the host parses them. */
export function agentCalls(url: string) {
  const call = async (
    method: string,
    path: string,
    body: RequestInit["body"] = null,
    signal: AbortSignal | null = null,
  ) => {
    const response = await fetch(`${url}/v1/${path}`, { method, body, signal });
    if (response.ok) return response;
    const { error, code } = errorBodySchema.parse(await response.json());
    throw new AgentError(response.status, code, error);
  };
  const query = (path: string): string => `?${new URLSearchParams({ path })}`;
  return {
    async run(
      command: string[],
      options: Partial<AgentRunRequest> = {},
      signal?: AbortSignal,
    ): Promise<CommandResult> {
      const request: AgentRunRequest = {
        command,
        environment: {},
        workingDirectory: null,
        timeoutMilliseconds: 120_000,
        outputBytesMax,
        asRoot: false,
        ...options,
      };
      const response = await call("POST", "exec/run", JSON.stringify(request), signal);
      return agentRunResponseSchema.parse(await response.json());
    },
    /** Runs a script with bash. */
    script(
      text: string,
      options: Partial<AgentRunRequest> = {},
      signal?: AbortSignal,
    ): Promise<CommandResult> {
      return this.run(["/bin/bash", "-c", text], options, signal);
    },
    async configure(
      request: ConfigureGuestRequest,
    ): Promise<z.infer<typeof configuredGuestSchema>> {
      const response = await call("POST", "configure", JSON.stringify(request));
      return configuredGuestSchema.parse(await response.json());
    },
    async freeze(): Promise<void> {
      await call("POST", "freeze");
    },
    async sync(): Promise<void> {
      await call("POST", "sync");
    },
    async readFile(path: string): Promise<Uint8Array> {
      return new Uint8Array(await (await call("GET", `files${query(path)}`)).arrayBuffer());
    },
    async writeFile(path: string, content: Uint8Array | string): Promise<void> {
      await call("PUT", `files${query(path)}`, content);
    },
    async remove(path: string): Promise<void> {
      await call("DELETE", `files${query(path)}`);
    },
    async makeDirectory(path: string): Promise<void> {
      await call("POST", `files/mkdir${query(path)}`);
    },
    async list(path: string): Promise<DirectoryEntry[]> {
      return directoryListingSchema.parse(
        await (await call("GET", `files/list${query(path)}`)).json(),
      );
    },
  };
}

export type AgentCalls = ReturnType<typeof agentCalls>;
