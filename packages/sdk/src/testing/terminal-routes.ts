import { constants } from "node:os";
import {
  openedTerminalSchema,
  openTerminalRequestSchema,
  resizedTerminalSchema,
  terminalListSchema,
  terminalSchema,
  terminalSizeSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { WebSocket } from "ws";
import { type LocalTerminal, startLocalTerminal } from "./local-terminal.ts";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Terminals of the contract server. */
export function createTerminalRoutes(sandboxes: SandboxState, folder: string) {
  const terminals = new Map<string, LocalTerminal>();

  function find(exchange: Exchange): LocalTerminal {
    const { detail } = findSandbox(sandboxes, exchange);
    const terminal = terminals.get(exchange.parameter("sessionID"));
    if (terminal?.info().sandboxID === detail.sandboxID) return terminal;
    throw new WireError("session_not_found", "There is no such terminal");
  }

  const routes: Route[] = [
    {
      method: "POST",
      path: "/sandboxes/:id/pty",
      async handle(exchange) {
        const request = await exchange.body(openTerminalRequestSchema);
        const { environment, detail } = findSandbox(sandboxes, exchange);
        const { sandboxID } = detail;
        const terminal = await startLocalTerminal(request, { sandboxID, environment, folder });
        const { sessionID } = terminal.info();
        terminals.set(sessionID, terminal);
        await exchange.respond(201, openedTerminalSchema, { sessionID, sandboxID });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/pty",
      async handle(exchange) {
        const { sandboxID } = findSandbox(sandboxes, exchange).detail;
        const all = [...terminals.values()].map((terminal) => terminal.info());
        const own = all.filter((info) => info.sandboxID === sandboxID);
        await exchange.respond(200, terminalListSchema, own);
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/pty/:sessionID",
      async handle(exchange) {
        await exchange.respond(200, terminalSchema, find(exchange).info());
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/pty/:sessionID/resize",
      async handle(exchange) {
        const size = await exchange.body(terminalSizeSchema);
        find(exchange).resize(size);
        await exchange.respond(200, resizedTerminalSchema, {});
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/:id/pty/:sessionID",
      async handle(exchange) {
        const terminal = find(exchange);
        terminal.signal(constants.signals.SIGHUP);
        terminals.delete(terminal.info().sessionID);
        exchange.done();
      },
    },
  ];

  return {
    routes,
    /** What a WebSocket is attached with; undefined for what is no terminal. */
    attach(sessionId: string): ((socket: WebSocket) => void) | undefined {
      return terminals.get(sessionId)?.attach;
    },
    ids: () => [...terminals.keys()],
    /** Ends all that runs. */
    close(): void {
      for (const terminal of terminals.values()) terminal.signal(constants.signals.SIGKILL);
    },
  };
}
