import type { Readable } from "node:stream";
import {
  openedTerminalSchema,
  openTerminalRequestSchema,
  resizedTerminalSchema,
  sessionIdSchema,
  terminalListSchema,
  terminalSchema,
  terminalSizeSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Worker } from "../../worker/workers.ts";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";
import { serveTerminal } from "../stream/serve-terminal.ts";
import { noContent } from "./route-parts.ts";

/** What a WebSocket that is about to be accepted is attached to. */
interface Attachment {
  worker: Worker;
  sandboxId: string;
  terminalId: string;
  output: Readable;
  use: () => void;
}

const config = { acceptsSandboxToken: true };
const sandboxParamsSchema = z.object({ id: z.string() });
const terminalParamsSchema = sandboxParamsSchema.extend({ sessionID: z.string() });

/** Shells in pseudo-terminals, which clients come to and leave. */
export const terminalRoutes: FastifyPluginAsyncZod<{ operations: SandboxOperations }> = async (
  app,
  { operations },
) => {
  const attachments = new WeakMap<FastifyRequest, Attachment>();

  app.post(
    "/sandboxes/:id/pty",
    {
      config,
      schema: {
        summary: "Open a terminal",
        params: sandboxParamsSchema,
        body: openTerminalRequestSchema,
        response: { 201: openedTerminalSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sandbox, worker } = await operations.begin(request, reply, id);
      const { cols, rows, shell } = request.body;
      const cwd = sandbox.workingDirectory;
      return reply.code(201).send(await worker.terminals.open(id, { cols, rows, shell, cwd }));
    },
  );

  app.get(
    "/sandboxes/:id/pty",
    {
      config,
      schema: {
        summary: "List the sandbox's terminals",
        params: sandboxParamsSchema,
        response: { 200: terminalListSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      return worker.terminals.list(id);
    },
  );

  app.route({
    method: "GET",
    url: "/sandboxes/:id/pty/:sessionID",
    config: { ...config, webSocket: true },
    schema: {
      summary: "Get a terminal; as a WebSocket, attach to it",
      params: terminalParamsSchema,
      response: { 200: terminalSchema },
    },
    async preHandler(request) {
      if (!request.ws) return;
      const { id, sessionID } = terminalParamsSchema.parse(request.params);
      const {
        opened: output,
        worker,
        use,
      } = await operations.connect(request, id, async (worker, signal) => {
        assertTerminalId(sessionID);
        return worker.terminals.output(id, sessionID, signal);
      });
      attachments.set(request, { worker, sandboxId: id, terminalId: sessionID, output, use });
    },
    async handler(request, reply) {
      const { id, sessionID } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      assertTerminalId(sessionID);
      return worker.terminals.get(id, sessionID);
    },
    wsHandler(socket, request) {
      const attachment = attachments.get(request);
      if (attachment === undefined) throw new Error("The WebSocket came without a terminal");
      const { worker, sandboxId, terminalId, output, use } = attachment;
      serveTerminal({
        socket,
        output,
        sendInput: (bytes, signal) => worker.terminals.input(sandboxId, terminalId, bytes, signal),
        onTraffic: use,
        logger: request.log,
      });
    },
  });

  app.post(
    "/sandboxes/:id/pty/:sessionID/resize",
    {
      config,
      schema: {
        summary: "Resize a terminal",
        params: terminalParamsSchema,
        body: terminalSizeSchema,
        response: { 200: resizedTerminalSchema },
      },
    },
    async (request, reply) => {
      const { id, sessionID } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      assertTerminalId(sessionID);
      await worker.terminals.resize(id, sessionID, request.body);
      return {};
    },
  );

  app.delete(
    "/sandboxes/:id/pty/:sessionID",
    {
      config,
      schema: {
        summary: "Close a terminal, which ends its shell",
        params: terminalParamsSchema,
        response: noContent,
      },
    },
    async (request, reply) => {
      const { id, sessionID } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      assertTerminalId(sessionID);
      await worker.terminals.hangUp(id, sessionID);
      return reply.code(204).send();
    },
  );
};

/** What cannot be the id of a terminal is the id of none. */
function assertTerminalId(terminalId: string): void {
  if (sessionIdSchema.safeParse(terminalId).success) return;
  throw new WireError("session_not_found", "The sandbox has no terminal of this id");
}
