import type { IncomingMessage } from "node:http";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  asyncCommandSchema,
  asyncCommandWaits,
  commandProgressSchema,
  commandResultSchema,
  commandSessionListSchema,
  commandSessionSchema,
  defaults,
  killedSessionSchema,
  killSessionRequestSchema,
  runCommandRequestSchema,
  type StartSessionRequest,
  startSessionRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { type WebSocket, WebSocketServer } from "ws";
import { createKeyedResults } from "./keyed-results.ts";
import { type LocalSession, startLocalSession } from "./local-session.ts";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/**
 * Commands of the contract server, done on this machine: in a real shell with
 * nothing but the sandbox's variables.
 */
export function createSessionRoutes(
  sandboxes: SandboxState,
  folder: string,
  terminals: { attach(sessionId: string): ((socket: WebSocket) => void) | undefined },
) {
  const sessions = new Map<string, LocalSession>();
  const keyed = createKeyedResults();
  const webSockets = new WebSocketServer({ noServer: true });

  async function start(
    exchange: Exchange,
    request: StartSessionRequest,
    options: { input: "pipe" | "ignore"; timeoutSeconds: number },
  ): Promise<LocalSession> {
    const { environment, detail } = findSandbox(sandboxes, exchange);
    const place = { sandboxID: detail.sandboxID, environment, folder };
    const session = await startLocalSession(request, { ...place, ...options });
    sessions.set(session.info().sessionID, session);
    return session;
  }

  function find(exchange: Exchange): LocalSession {
    const { detail } = findSandbox(sandboxes, exchange);
    const session = sessions.get(exchange.parameter("sessionID"));
    if (session?.info().sandboxID === detail.sandboxID) return session;
    throw new WireError("session_not_found", "There is no such session");
  }

  async function progressOf(session: LocalSession, waitMilliseconds: number) {
    const timer = new AbortController();
    const waited = delay(waitMilliseconds, undefined, { signal: timer.signal }).catch(() => null);
    await Promise.race([session.ended, waited]);
    timer.abort();
    const { running, exitCode } = session.info();
    return { running, exitCode, ...session.output() };
  }

  const routes: Route[] = [
    {
      method: "POST",
      path: "/sandboxes/:id/exec/run",
      async handle(exchange) {
        const request = await exchange.body(runCommandRequestSchema);
        const { environment, detail } = findSandbox(sandboxes, exchange);
        const session = await keyed(exchange, request, async () => {
          const started = await startLocalSession(request, {
            ...{ sandboxID: detail.sandboxID, environment, folder, input: "ignore" },
            timeoutSeconds: request.timeout || defaults.commandTimeoutSeconds,
          });
          await started.ended;
          return started;
        });
        const { exitCode = -1 } = session.info();
        await exchange.respond(200, commandResultSchema, { exitCode, ...session.output() });
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/exec",
      async handle(exchange) {
        const request = await exchange.body(startSessionRequestSchema);
        const timeoutSeconds = request.timeout ?? 0;
        const options = { input: "pipe", timeoutSeconds } as const;
        const session = await keyed(exchange, request, () => start(exchange, request, options));
        await exchange.respond(201, commandSessionSchema, session.info());
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/exec",
      async handle(exchange) {
        const { sandboxID } = findSandbox(sandboxes, exchange).detail;
        const all = [...sessions.values()].map((session) => session.info());
        const own = all.filter((info) => info.sandboxID === sandboxID);
        await exchange.respond(200, commandSessionListSchema, own);
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/exec/:sessionID",
      async handle(exchange) {
        await exchange.respond(200, commandSessionSchema, find(exchange).info());
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/exec/run-async",
      async handle(exchange) {
        const request = await exchange.body(runCommandRequestSchema);
        const timeoutSeconds = request.timeout || defaults.commandTimeoutSeconds;
        const options = { input: "ignore", timeoutSeconds } as const;
        const session = await keyed(exchange, request, () => start(exchange, request, options));
        const progress = await progressOf(session, asyncCommandWaits.startMilliseconds);
        const { sessionID: execId, startedAt } = session.info();
        const body = progress.running ? { execId, running: true, startedAt } : progress;
        await exchange.respond(
          progress.running ? 202 : 200,
          asyncCommandSchema,
          asyncCommandSchema.parse(body),
        );
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/exec/:sessionID/result",
      async handle(exchange) {
        const progress = await progressOf(find(exchange), asyncCommandWaits.resultMilliseconds);
        await exchange.respond(200, commandProgressSchema, progress);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/exec/:sessionID/kill",
      async handle(exchange) {
        const { signal } = await exchange.body(killSessionRequestSchema);
        find(exchange).signal(signal ?? constants.signals.SIGKILL);
        await exchange.respond(200, killedSessionSchema, {});
      },
    },
  ];

  return {
    routes,
    /** Takes the WebSocket of a session or a terminal; any other upgrade is refused. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, apiKey: string): void {
      const url = new URL(request.url ?? "/", "http://contract");
      const key = request.headers["x-api-key"] ?? url.searchParams.get("api_key");
      const id = url.pathname.split("/").at(-1) ?? "";
      const attach = sessions.get(id)?.attach ?? terminals.attach(id);
      if (key !== apiKey || attach === undefined) {
        socket.end(`HTTP/1.1 ${key === apiKey ? "404 Not Found" : "403 Forbidden"}\r\n\r\n`);
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (client) => attach(client));
    },
    ids: () => [...sessions.keys()],
    dropSockets(): void {
      for (const client of webSockets.clients) client.terminate();
    },
    /** Ends all that runs. */
    close(): void {
      for (const client of webSockets.clients) client.terminate();
      for (const session of sessions.values()) session.signal(constants.signals.SIGKILL);
    },
  };
}
