import { EventEmitter, once } from "node:events";
import { Readable } from "node:stream";
import {
  openedTerminalSchema,
  type Terminal,
  terminalSchema,
  terminalSizeSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { encodeSessionEvent, workerTerminalRequestSchema } from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

const paramsSchema = z.object({ id: z.string(), sessionId: z.string() });
const sandboxParamsSchema = z.object({ id: z.string() });
const floodChunk = new Uint8Array(32 * 1024).fill(121);

/** A terminal of the fake worker: what it has shown, and what was typed. */
export interface FakeTerminal {
  info: Terminal;
  cwd: string | null;
  shown: Buffer[];
  /** One character for each byte. */
  typed: string;
  /** Bytes of an endless output that were taken. */
  floodedBytes: number;
  changed: EventEmitter;
  show(text: string | Buffer): void;
  end(exitCode: number): void;
}

/**
 * Terminals without a machine. They show what is typed; the line `exit N` ends
 * the shell, and the shell `yes` writes for ever; `broken` breaks the rules of
 * the stream, and `missing` does not exist.
 */
export function createFakeTerminals() {
  const terminals = new Map<string, FakeTerminal>();

  function open(sandboxID: string, body: unknown): FakeTerminal {
    const { cols, rows, shell, cwd } = workerTerminalRequestSchema.parse(body);
    if (shell === "missing") {
      throw new WireError("command_not_found", "missing: command not found in PATH (/bin)");
    }
    const terminal: FakeTerminal = {
      info: terminalSchema.parse({
        ...{ sessionID: `pty-${terminals.size + 1}`, sandboxID, cols, rows },
        ...{ shell: shell || "/bin/bash", running: true, attachedClients: 0 },
        startedAt: new Date().toISOString(),
      }),
      cwd: cwd ?? null,
      shown: [],
      typed: "",
      floodedBytes: 0,
      changed: new EventEmitter().setMaxListeners(100),
      show(text) {
        terminal.shown.push(Buffer.from(text));
        terminal.changed.emit("changed");
      },
      end(exitCode) {
        terminal.info.running = false;
        terminal.info.exitCode = exitCode;
        terminal.changed.emit("changed");
      },
    };
    terminals.set(terminal.info.sessionID, terminal);
    return terminal;
  }

  function find(params: unknown): FakeTerminal {
    const { id, sessionId } = paramsSchema.parse(params);
    const terminal = terminals.get(sessionId);
    if (terminal?.info.sandboxID === id) return terminal;
    throw new WireError("session_not_found", `no terminal ${sessionId}`);
  }

  async function* stream(terminal: FakeTerminal, gone: AbortSignal): AsyncGenerator<Uint8Array> {
    const { info, shown, changed } = terminal;
    const replayed = shown.length;
    info.attachedClients += 1;
    try {
      for (let index = 0; ; index += 1) {
        if (index === replayed) yield encodeSessionEvent({ type: "replayEnd" });
        if (info.shell === "broken") yield encodeSessionEvent({ type: "replayEnd" });
        while (info.shell === "yes") {
          terminal.floodedBytes += floodChunk.length;
          yield encodeSessionEvent({ type: "stdout", bytes: floodChunk });
        }
        while (shown[index] === undefined && info.running) {
          await once(changed, "changed", { signal: gone });
        }
        const bytes = shown[index];
        if (bytes === undefined) {
          yield encodeSessionEvent({ type: "exit", exitCode: info.exitCode ?? 0 });
          return;
        }
        yield encodeSessionEvent({ type: "stdout", bytes });
      }
    } finally {
      info.attachedClients -= 1;
    }
  }

  function addRoutes(app: FastifyInstance, assertMachine: (params: unknown) => void): void {
    app.post("/v1/sandboxes/:id/pty", async (request, reply) => {
      assertMachine(request.params);
      const { info } = open(sandboxParamsSchema.parse(request.params).id, request.body);
      return reply.code(201).send(openedTerminalSchema.parse(info));
    });
    app.get("/v1/sandboxes/:id/pty", async (request) => {
      const { id } = sandboxParamsSchema.parse(request.params);
      return [...terminals.values()].map(({ info }) => info).filter((one) => one.sandboxID === id);
    });
    app.get("/v1/sandboxes/:id/pty/:sessionId", async ({ params }) => find(params).info);
    app.post("/v1/sandboxes/:id/pty/:sessionId/resize", async ({ params, body }) => {
      Object.assign(find(params).info, terminalSizeSchema.parse(body));
      return {};
    });
    app.delete("/v1/sandboxes/:id/pty/:sessionId", async ({ params }, reply) => {
      const terminal = find(params);
      terminal.end(129);
      terminals.delete(terminal.info.sessionID);
      return reply.code(204).send();
    });
    app.get("/v1/sandboxes/:id/pty/:sessionId/output", async (request, reply) => {
      const terminal = find(request.params);
      const gone = new AbortController();
      const output = Readable.from(stream(terminal, gone.signal), { highWaterMark: 1 });
      reply.raw.once("close", () => {
        gone.abort();
        output.destroy();
      });
      return reply.header("content-type", "application/octet-stream").send(output);
    });
    app.post("/v1/sandboxes/:id/pty/:sessionId/input", async (request, reply) => {
      const terminal = find(request.params);
      if (!(request.body instanceof Readable)) throw new Error("expected a stream of bytes");
      for await (const bytes of request.body) {
        terminal.typed += Buffer.from(bytes).toString("latin1");
        terminal.show(Buffer.from(bytes));
        const exitCode = /^exit (\d+)\r?$/m.exec(terminal.typed)?.[1];
        if (exitCode !== undefined) terminal.end(Number(exitCode));
      }
      return reply.code(204).send();
    });
  }

  return { terminals, addRoutes };
}
