import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { ConnectionOptions } from "@opencomputer/sdk";
import { commandTools } from "./tools/command-tools.ts";
import { fileTools } from "./tools/file-tools.ts";
import { sandboxTools } from "./tools/sandbox-tools.ts";
import { savedStateTools } from "./tools/saved-state-tools.ts";

/** One message of a client: the content of a file that it writes, escaped in JSON, and the rest. */
export const messageBytesMax = 10 * 1024 * 1024;

const instructions = [
  "Sandboxes are Linux virtual machines: create one, run commands in it with exec, and kill it when it is no longer needed.",
  "A sandbox that is idle hibernates, and its next use wakes it with all its processes.",
  "A secret is an environment variable whose value begins with osb_sealed_. Use it unchanged: in requests to the hosts that it is for, it becomes the real value.",
].join("\n");

/** The MCP server of one client, not yet connected to it. */
export function createMcpServer(connection: ConnectionOptions, version: string): McpServer {
  const server = new McpServer({ name: "opencomputer", version }, { instructions });
  for (const tool of [...sandboxTools, ...commandTools, ...fileTools, ...savedStateTools]) {
    tool.register(server, connection);
  }
  return server;
}
