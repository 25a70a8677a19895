import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { errorBodySchema, limits, WireError } from "@opencomputer/protocol/api";
import { apiKeyRoutes } from "./api-key-routes.ts";
import { type CheckpointState, checkpointRoutes } from "./checkpoint-routes.ts";
import { egressRoutes } from "./egress-routes.ts";
import { createEventRoutes, type EventState } from "./event-routes.ts";
import { guestRoutes } from "./guest-routes.ts";
import { previewRoutes } from "./preview-routes.ts";
import { type Exchange, matchRoute, parseOrRefuse, type Route } from "./route.ts";
import { type SandboxState, sandboxRoutes } from "./sandbox-routes.ts";
import { scalingRoutes } from "./scaling-routes.ts";
import { type SecretState, secretRoutes } from "./secret-routes.ts";
import { createSessionRoutes } from "./session-routes.ts";
import { signedUrlRoutes } from "./signed-url-routes.ts";
import { type SnapshotState, snapshotRoutes } from "./snapshot-routes.ts";
import { tagRoutes } from "./tag-routes.ts";
import { createTerminalRoutes } from "./terminal-routes.ts";
import { usageRoutes } from "./usage-routes.ts";
import { createWebhookRoutes, type WebhookState } from "./webhook-routes.ts";

/** Responds instead of the contract server, to simulate a failure. */
export type Interception = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that speaks the HTTP contract from memory, for the tests of its clients. */
export interface ContractServer {
  url: string;
  apiKey: string;
  /** Every request line so far, such as `GET /api/sandboxes`. */
  requests: string[];
  /** State that tests may look into and change. */
  secrets: SecretState;
  sandboxes: SandboxState;
  checkpoints: CheckpointState;
  events: Omit<EventState, "routes">;
  webhooks: WebhookState["webhooks"];
  /**
   * The next request meets this and no route; several wait in line. With
   * `part`, the next one whose request line holds that text.
   */
  interceptNext(interception: Interception, part?: string): void;
  /** The next request whose line holds `part` is served, but its response never arrives. */
  loseNextResponse(part: string, watcher?: (request: IncomingMessage) => void): void;
  /** Called with the line of every later request, before the response. */
  watch(watcher: (line: string) => void): void;
  /** Ids of the command sessions, in the order of their start. */
  sessionIds(): string[];
  /** Ids of the terminals, as `sessionIds`. */
  terminalIds(): string[];
  /** Breaks every WebSocket. */
  dropSockets(): void;
  close(): Promise<void>;
}

export async function startContractServer(): Promise<ContractServer> {
  const folder = await mkdtemp(join(tmpdir(), "contract-server-"));
  const apiKey = `osb_${randomBytes(32).toString("hex")}`;
  const secrets: SecretState = { stores: new Map(), projects: new Map() };
  const sandboxes: SandboxState = new Map();
  const snapshots: SnapshotState = new Map();
  const checkpoints: CheckpointState = new Map();
  const webhooks = createWebhookRoutes();
  const events = createEventRoutes(webhooks.deliver);
  const terminalRoutes = createTerminalRoutes(sandboxes, folder);
  const sessionRoutes = createSessionRoutes(sandboxes, folder, terminalRoutes);
  const routes = [
    ...secretRoutes(secrets),
    ...sandboxRoutes(sandboxes, secrets, snapshots, { events, webhooks }),
    ...checkpointRoutes(sandboxes, checkpoints, sessionRoutes.ids),
    ...snapshotRoutes(snapshots),
    ...tagRoutes(sandboxes),
    ...usageRoutes(sandboxes),
    ...egressRoutes(sandboxes),
    ...previewRoutes(sandboxes),
    ...scalingRoutes(sandboxes),
    ...signedUrlRoutes(sandboxes, folder),
    ...apiKeyRoutes(apiKey),
    ...events.routes,
    ...webhooks.routes,
    ...guestRoutes(sandboxes, folder),
    ...sessionRoutes.routes,
    ...terminalRoutes.routes,
  ];
  const requests: string[] = [];
  const watchers: ((line: string) => void)[] = [];
  const interceptions: { interception: Interception; part: string }[] = [];

  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    for (const watcher of watchers) watcher(line);
    const index = interceptions.findIndex(({ part }) => line.includes(part));
    const [found] = index === -1 ? [] : interceptions.splice(index, 1);
    if (found !== undefined) return found.interception(request, response);
    serve(routes, apiKey, request, response).catch((error: unknown) => refuse(response, error));
  });
  server.on("upgrade", (request, socket, head) => {
    requests.push(`${request.method} ${request.url}`);
    sessionRoutes.upgrade(request, socket, head, apiKey);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");

  return {
    url: `http://127.0.0.1:${address.port}`,
    apiKey,
    requests,
    secrets,
    sandboxes,
    checkpoints,
    events,
    webhooks: webhooks.webhooks,
    watch: (watcher) => void watchers.push(watcher),
    interceptNext: (interception, part = "") => void interceptions.push({ interception, part }),
    loseNextResponse(part, watcher = () => undefined) {
      const interception: Interception = (request, response) => {
        watcher(request);
        response.end = () => {
          request.socket.destroy();
          return response;
        };
        serve(routes, apiKey, request, response).catch(() => request.socket.destroy());
      };
      interceptions.push({ interception, part });
    },
    sessionIds: sessionRoutes.ids,
    terminalIds: terminalRoutes.ids,
    dropSockets: sessionRoutes.dropSockets,
    async close() {
      sessionRoutes.close();
      terminalRoutes.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

async function serve(
  routes: Route[],
  apiKey: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://contract");
  const path = url.pathname.replace(/^\/api/, "");
  for (const route of routes) {
    const parameters = route.method === request.method ? matchRoute(route, path) : undefined;
    if (parameters === undefined) continue;
    if (route.needsNoKey !== true) assertKey(request, apiKey);
    return await route.handle(createExchange(request, response, url.searchParams, parameters));
  }
  assertKey(request, apiKey);
  throw new WireError("not_found", `There is no route ${request.method} ${url.pathname}`);
}

function assertKey(request: IncomingMessage, apiKey: string): void {
  const given = request.headers["x-api-key"];
  if (given === undefined) throw new WireError("missing_api_key", "missing API key");
  if (given !== apiKey) throw new WireError("invalid_api_key", "invalid API key");
}

function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  parameters: Record<string, string>,
): Exchange {
  return {
    request,
    response,
    query,
    parameter(name) {
      const value = parameters[name];
      if (value === undefined) throw new Error(`the route has no parameter ${name}`);
      return value;
    },
    async body(schema) {
      if (Number(request.headers["content-length"]) > limits.apiBodyBytesMax) {
        throw new WireError("body_too_large", "The body is too large");
      }
      return parseOrRefuse(schema, await json(request));
    },
    async respond(status, schema, value) {
      sendJson(response, status, schema.parse(value));
    },
    done() {
      response.writeHead(204).end();
    },
  };
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const wireError =
    error instanceof WireError
      ? error
      : new WireError("internal_error", `contract server: ${String(error)}`);
  sendJson(response, wireError.status, errorBodySchema.parse(wireError.toBody()));
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
