import { EventEmitter, once } from "node:events";
import { Readable } from "node:stream";
import {
  type CommandSession,
  commandProgressSchema,
  commandSessionSchema,
  endedCommandSchema,
  killSessionRequestSchema,
  runCommandRequestSchema,
  runningCommandSchema,
  startSessionRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { encodeSessionEvent, type SessionEvent } from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

const paramsSchema = z.object({ id: z.string(), sessionId: z.string() });
const sandboxParamsSchema = z.object({ id: z.string() });
const floodChunk = new Uint8Array(32 * 1024).fill(120);

/** A session of the fake worker: its output so far, and its input. */
export interface FakeSession {
  info: CommandSession;
  said: SessionEvent[];
  changed: EventEmitter;
  signals: number[];
  /** Bytes of a `flood` that were taken. */
  floodedBytes: number;
  say(event: SessionEvent): void;
}

/**
 * Sessions without a machine. `cat` prints its input, `sleep` runs until
 * it is killed, `flood <bytes>` prints so many bytes as fast as they are
 * taken, `broken` breaks the rules of the stream; anything else prints its own name
 * and ends.
 */
export function createFakeSessions() {
  const sessions = new Map<string, FakeSession>();

  function start(sandboxID: string, cmd: string, args: string[]): FakeSession {
    const session: FakeSession = {
      info: commandSessionSchema.parse({
        ...{ sessionID: `exec-${sessions.size + 1}`, sandboxID, command: cmd, args },
        ...{ running: true, startedAt: new Date().toISOString(), attachedClients: 0 },
      }),
      said: [],
      changed: new EventEmitter().setMaxListeners(100),
      signals: [],
      floodedBytes: 0,
      say(event) {
        session.said.push(event);
        if (event.type === "exit") {
          session.info.running = false;
          session.info.exitCode = event.exitCode;
        }
        session.changed.emit("changed");
      },
    };
    sessions.set(session.info.sessionID, session);
    if (!/^(cat|sleep|broken|flood .*)$/.test(cmd)) {
      session.say({ type: "stdout", bytes: Buffer.from(`${cmd}\n`) });
      session.say({ type: "exit", exitCode: 0 });
    }
    return session;
  }

  function find(params: unknown): FakeSession {
    const { id, sessionId } = paramsSchema.parse(params);
    const session = sessions.get(sessionId);
    if (session?.info.sandboxID === id) return session;
    throw new WireError("session_not_found", `no session ${sessionId}`);
  }

  async function* stream(session: FakeSession, gone: AbortSignal): AsyncGenerator<Uint8Array> {
    session.info.attachedClients += 1;
    try {
      const { said } = session;
      let index = said.findIndex(({ type }) => type === "exit");
      if (index === -1) index = said.length;
      for (const event of said.slice(0, index)) yield encodeSessionEvent(event);
      yield encodeSessionEvent({ type: "replayEnd" });
      if (session.info.command === "broken") yield encodeSessionEvent({ type: "replayEnd" });
      const floodBytes = Number(/^flood (\d+)$/.exec(session.info.command)?.[1] ?? 0);
      while (session.floodedBytes < floodBytes) {
        session.floodedBytes += floodChunk.length;
        yield encodeSessionEvent({ type: "stdout", bytes: floodChunk });
      }
      if (floodBytes > 0) session.say({ type: "exit", exitCode: 0 });
      for (;;) {
        const event = said[index];
        if (event === undefined) {
          await once(session.changed, "changed", { signal: gone });
          continue;
        }
        index += 1;
        yield encodeSessionEvent(event);
        if (event.type === "exit") return;
      }
    } finally {
      session.info.attachedClients -= 1;
    }
  }

  function addRoutes(app: FastifyInstance, assertMachine: (params: unknown) => void): void {
    app.post("/v1/sandboxes/:id/exec", async (request, reply) => {
      assertMachine(request.params);
      const { id } = sandboxParamsSchema.parse(request.params);
      const { cmd, args } = startSessionRequestSchema.parse(request.body);
      return reply.code(201).send(start(id, cmd, args ?? []).info);
    });
    app.post("/v1/sandboxes/:id/exec/run-async", async (request, reply) => {
      assertMachine(request.params);
      const { id } = sandboxParamsSchema.parse(request.params);
      const { cmd } = runCommandRequestSchema.parse(request.body);
      const { info } = start(id, cmd, []);
      if (info.running) {
        const { sessionID: execId, startedAt } = info;
        const response = runningCommandSchema.parse({ execId, running: true, startedAt });
        return reply.code(202).send(response);
      }
      const output = { exitCode: 0, stdout: `${cmd}\n`, stderr: "" };
      return endedCommandSchema.parse({ ...output, running: false });
    });
    app.get("/v1/sandboxes/:id/exec", async (request) => {
      const { id } = sandboxParamsSchema.parse(request.params);
      return [...sessions.values()].map(({ info }) => info).filter((one) => one.sandboxID === id);
    });
    app.get("/v1/sandboxes/:id/exec/:sessionId", async ({ params }) => find(params).info);
    app.get("/v1/sandboxes/:id/exec/:sessionId/result", async ({ params }) => {
      const { info, said } = find(params);
      const textOf = (type: string) =>
        said.map((one) => (one.type === type && "bytes" in one ? String(one.bytes) : "")).join("");
      const { running, exitCode } = info;
      const output = { stdout: textOf("stdout"), stderr: textOf("stderr") };
      return commandProgressSchema.parse({ running, exitCode, ...output });
    });
    app.post("/v1/sandboxes/:id/exec/:sessionId/kill", async (request) => {
      const session = find(request.params);
      const { signal } = killSessionRequestSchema.parse(request.body);
      session.signals.push(signal ?? 9);
      if (session.info.running) session.say({ type: "exit", exitCode: 128 + (signal ?? 9) });
      return {};
    });
    app.get("/v1/sandboxes/:id/exec/:sessionId/output", async (request, reply) => {
      const session = find(request.params);
      const gone = new AbortController();
      const output = Readable.from(stream(session, gone.signal), { highWaterMark: 1 });
      reply.raw.once("close", () => {
        gone.abort();
        output.destroy();
      });
      return reply.header("content-type", "application/octet-stream").send(output);
    });
    app.post("/v1/sandboxes/:id/exec/:sessionId/input", async (request, reply) => {
      const session = find(request.params);
      if (!(request.body instanceof Readable)) throw new Error("expected a stream of bytes");
      for await (const bytes of request.body) {
        if (session.info.command === "cat") session.say({ type: "stdout", bytes });
      }
      if (session.info.command === "cat") session.say({ type: "exit", exitCode: 0 });
      return reply.code(204).send();
    });
  }

  return { sessions, addRoutes };
}
