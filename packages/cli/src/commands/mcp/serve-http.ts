import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CliError } from "../../cli-context.ts";
import { messageBytesMax } from "./create-mcp-server.ts";

const loopbackAddress = "127.0.0.1";
const path = "/mcp";
/** Connections at the same time; further ones are closed. */
const connectionsMax = 256;

/**
 * Serves MCP's Streamable HTTP on the loopback address. Each request is
 * complete in itself, so no session is kept for a client. Every user of the
 * machine reaches the port, and so does a web page by DNS rebinding: a request
 * needs the API key, a Host of the loopback interface, and no foreign Origin.
 *
 * @param createServer Makes the server of one request.
 * @throws {CliError} `port_in_use`
 */
export async function serveHttp(options: {
  createServer(): McpServer;
  port: number;
  apiKey: string;
}): Promise<{ url: string; close(): Promise<void> }> {
  const { createServer: createMcpServer, port, apiKey } = options;
  const server = createServer((request, response) => {
    const refusal = refusalOf(request, apiKey);
    if (refusal !== undefined) return refuse(response, refusal);
    serve(createMcpServer(), request, response).catch(() => response.destroy());
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new CliError("port_in_use", `Cannot listen on port ${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, loopbackAddress, resolve);
  });
  const address = server.address();
  const listening = address === null || typeof address === "string" ? port : address.port;
  return {
    url: `http://${loopbackAddress}:${listening}${path}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(
  server: McpServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const transport = new StreamableHTTPServerTransport({ maxRequestBodySize: messageBytesMax });
  // Aborts what is under way for a client that has disconnected.
  response.once("close", () => void server.close());
  // exactOptionalPropertyTypes: the class declares `onclose` with undefined, the interface without.
  await server.connect(transport as Parameters<McpServer["connect"]>[0]);
  await transport.handleRequest(request, response);
}

interface Refusal {
  status: number;
  message: string;
  headers?: Record<string, string>;
}

function refusalOf(request: IncomingMessage, apiKey: string): Refusal | undefined {
  const { host, origin, authorization } = request.headers;
  if (host === undefined || !isLoopback(`http://${host}`)) {
    return {
      status: 403,
      message: `This server does not serve the host ${quoted(host)}: call it at ${loopbackAddress} or localhost`,
    };
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    return { status: 403, message: `A page of ${quoted(origin)} may not call this server` };
  }
  if (request.url !== path) {
    return { status: 404, message: `No such path: MCP is served at ${path}` };
  }
  if (!isSame(authorization ?? "", `Bearer ${apiKey}`)) {
    return {
      status: 401,
      message:
        "Expected the field Authorization: Bearer, followed by the API key that this server was started with",
      headers: { "WWW-Authenticate": 'Bearer realm="oc mcp"' },
    };
  }
  if (request.method !== "POST") {
    return {
      status: 405,
      message: `Expected POST, got ${request.method}: this server keeps no sessions`,
      headers: { Allow: "POST" },
    };
  }
  return undefined;
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}

function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, 100));
}

/** An error of JSON-RPC 2.0 that belongs to no request; what is left of the request is not read. */
function refuse(response: ServerResponse, { status, message, headers = {} }: Refusal): void {
  const error = { code: -32000, message };
  response.writeHead(status, {
    "Content-Type": "application/json",
    Connection: "close",
    ...headers,
  });
  response.end(JSON.stringify({ jsonrpc: "2.0", error, id: null }));
}
