import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult, ToolAnnotations } from "@modelcontextprotocol/sdk/types.js";
import { type ConnectionOptions, OpenComputerError } from "@opencomputer/sdk";
import { z } from "zod";

/** A tool that agents call. */
export interface Tool {
  register(server: McpServer, connection: ConnectionOptions): void;
}

export interface ToolDescription<Shape extends z.ZodRawShape> {
  name: string;
  /** For the model: what it does, and what to know before calling it. */
  description: string;
  input: Shape;
  /** Hints for the agent, such as whether to ask a person before the call. */
  hints: ToolAnnotations;
}

/**
 * Makes a tool of a function, which returns the texts of the result. An error
 * of the API becomes a result that the model can read and act on.
 */
export function defineTool<Shape extends z.ZodRawShape>(
  { name, description, input, hints }: ToolDescription<Shape>,
  call: (
    input: z.output<z.ZodObject<Shape>>,
    connection: ConnectionOptions,
  ) => Promise<readonly string[]>,
): Tool {
  const schema = z.strictObject(input);
  return {
    register(server, connection) {
      const config = { description, inputSchema: schema, annotations: hints };
      server.registerTool(name, config, async (given: unknown, { signal }) => {
        try {
          return result(await call(schema.parse(given), { ...connection, signal }));
        } catch (error) {
          if (!(error instanceof OpenComputerError)) throw error;
          const { message, code, remediation } = error;
          const help = remediation === undefined ? [] : [`remediation: ${remediation}`];
          return { ...result([message, `code: ${code}`, ...help]), isError: true };
        }
      });
    },
  };
}

function result(texts: readonly string[]): CallToolResult {
  return { content: texts.map((text) => ({ type: "text", text })) };
}

/** A result that is data. */
export function asJson(value: unknown): readonly [string] {
  return [JSON.stringify(value)];
}

export const sandboxId = z.string().describe("Id of the sandbox, such as sb-abc123");
