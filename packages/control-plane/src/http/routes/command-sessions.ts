import type { Readable } from "node:stream";
import {
  commandProgressSchema,
  commandSessionListSchema,
  commandSessionSchema,
  endedCommandSchema,
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  killedSessionSchema,
  killSessionRequestSchema,
  runCommandRequestSchema,
  runningCommandSchema,
  sessionIdSchema,
  startSessionRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Worker } from "../../worker/workers.ts";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";
import { serveSession } from "../stream/serve-session.ts";

/** What a WebSocket that is about to be accepted is attached to. */
interface Attachment {
  worker: Worker;
  sandboxId: string;
  sessionId: string;
  output: Readable;
  use: () => void;
}

const config = { acceptsSandboxToken: true };
const sandboxParamsSchema = z.object({ id: z.string() });
const sessionParamsSchema = sandboxParamsSchema.extend({ sessionID: z.string() });

/** Commands that clients come to and leave, and commands in the background. */
export const commandSessionRoutes: FastifyPluginAsyncZod<{
  operations: SandboxOperations;
}> = async (app, { operations }) => {
  const attachments = new WeakMap<FastifyRequest, Attachment>();

  app.post(
    "/sandboxes/:id/exec",
    {
      config,
      schema: {
        summary: "Start a command session",
        headers: idempotentHeadersSchema,
        params: sandboxParamsSchema,
        body: startSessionRequestSchema,
        response: { 201: commandSessionSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sandbox, worker } = await operations.begin(request, reply, id);
      const cwd = request.body.cwd || sandbox.workingDirectory;
      const key = request.headers[idempotencyKeyHeader];
      const session = await worker.sessions.start(id, { ...request.body, cwd }, key);
      return reply.code(201).send(session);
    },
  );

  app.get(
    "/sandboxes/:id/exec",
    {
      config,
      schema: {
        summary: "List the sandbox's command sessions",
        params: sandboxParamsSchema,
        response: { 200: commandSessionListSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      return worker.sessions.list(id);
    },
  );

  app.route({
    method: "GET",
    url: "/sandboxes/:id/exec/:sessionID",
    config: { ...config, webSocket: true },
    schema: {
      summary: "Get a command session; as a WebSocket, attach to it",
      params: sessionParamsSchema,
      response: { 200: commandSessionSchema },
    },
    async preHandler(request) {
      if (!request.ws) return;
      const { id, sessionID } = sessionParamsSchema.parse(request.params);
      const {
        opened: output,
        worker,
        use,
      } = await operations.connect(request, id, async (worker, signal) => {
        assertSessionId(sessionID);
        return worker.sessions.output(id, sessionID, signal);
      });
      attachments.set(request, { worker, sandboxId: id, sessionId: sessionID, output, use });
    },
    async handler(request, reply) {
      const { id, sessionID } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      assertSessionId(sessionID);
      return worker.sessions.get(id, sessionID);
    },
    wsHandler(socket, request) {
      const attachment = attachments.get(request);
      if (attachment === undefined) throw new Error("The WebSocket came without a session");
      const { worker, sandboxId, sessionId, output, use } = attachment;
      serveSession({
        socket,
        output,
        sendInput: (bytes, signal) => worker.sessions.input(sandboxId, sessionId, bytes, signal),
        onTraffic: use,
        logger: request.log,
      });
    },
  });

  app.post(
    "/sandboxes/:id/exec/:sessionID/kill",
    {
      config,
      schema: {
        summary: "Send a signal to a command session",
        params: sessionParamsSchema,
        body: killSessionRequestSchema,
        response: { 200: killedSessionSchema },
      },
    },
    async (request, reply) => {
      const { id, sessionID } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      assertSessionId(sessionID);
      await worker.sessions.kill(id, sessionID, request.body.signal ?? undefined);
      return {};
    },
  );

  app.post(
    "/sandboxes/:id/exec/run-async",
    {
      config,
      schema: {
        summary: "Run a command in the background, unless it ends at once",
        headers: idempotentHeadersSchema,
        params: sandboxParamsSchema,
        body: runCommandRequestSchema,
        response: { 200: endedCommandSchema, 202: runningCommandSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sandbox, worker } = await operations.begin(request, reply, id);
      const cwd = request.body.cwd || sandbox.workingDirectory;
      const key = request.headers[idempotencyKeyHeader];
      const command = await worker.sessions.runAsync(id, { ...request.body, cwd }, key);
      return command.running ? reply.code(202).send(command) : reply.code(200).send(command);
    },
  );

  app.get(
    "/sandboxes/:id/exec/:execId/result",
    {
      config,
      schema: {
        summary: "Wait briefly for a command to end, and get its output so far",
        params: sandboxParamsSchema.extend({ execId: z.string() }),
        response: { 200: commandProgressSchema },
      },
    },
    async (request, reply) => {
      const { id, execId } = request.params;
      const { worker, signal } = await operations.begin(request, reply, id);
      assertSessionId(execId);
      return worker.sessions.result(id, execId, signal);
    },
  );
};

/** What cannot be the id of a session is the id of none. */
function assertSessionId(sessionId: string): void {
  if (sessionIdSchema.safeParse(sessionId).success) return;
  throw new WireError("session_not_found", "The sandbox has no session of this id");
}
