import type { Readable, Writable } from "node:stream";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CliError } from "../../cli-context.ts";
import { messageBytesMax } from "./create-mcp-server.ts";

/**
 * Serves one client on a pair of streams until its input ends (MCP, revision
 * 2025-06-18, "Lifecycle: Shutdown"). What is under way then is aborted.
 *
 * @param onFault Called with what is wrong about a message that is skipped.
 * @throws {CliError} `message_too_large`
 */
export async function serveStdio(
  server: McpServer,
  streams: { stdin: Readable; stdout: Writable; onFault(text: string): void },
): Promise<void> {
  const { stdin, stdout, onFault } = streams;
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: messageBytesMax });
  server.server.onerror = ({ message }) => onFault(`A message was skipped: ${message}`);
  const inputEnded = new Promise<boolean>((resolve) => {
    stdin.once("end", () => resolve(true));
    stdin.once("close", () => resolve(true));
    server.server.onclose = () => resolve(false);
  });
  await server.connect(transport);
  if (!(await inputEnded)) {
    // What is left of it would keep the process running.
    stdin.destroy();
    throw new CliError(
      "message_too_large",
      `A message from the client has more than ${messageBytesMax} bytes: write a large file in parts, with exec`,
    );
  }
  // Responses that need no request of the API are sent before this.
  await new Promise((resolve) => setImmediate(resolve));
  await server.close();
}
