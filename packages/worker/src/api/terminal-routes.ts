import { Readable } from "node:stream";
import { abortWhenClosed } from "@opencomputer/process";
import {
  openedTerminalSchema,
  resizedTerminalSchema,
  sandboxIdSchema,
  sessionIdSchema,
  type Terminal,
  terminalListSchema,
  terminalSchema,
  terminalSizeSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { type AgentTerminal, workerTerminalRequestSchema } from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { AgentClient } from "../guest/agent-client.ts";
import { throwOutcome } from "./command-routes.ts";

const sandboxParamsSchema = z.object({ sandboxId: sandboxIdSchema });
const terminalParamsSchema = sandboxParamsSchema.extend({ sessionId: sessionIdSchema });

interface TerminalsBySandbox {
  agentOf(sandboxId: string): Pick<AgentClient, "terminals">;
}

/** Shells in pseudo-terminals. Their state is only in the guest. */
export async function terminalRoutes(
  server: FastifyInstance,
  { worker }: { worker: { sandboxes: TerminalsBySandbox } },
): Promise<void> {
  const app = server.withTypeProvider<ZodTypeProvider>();
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
    done(null, payload),
  );
  const terminalsOf = (sandboxId: string) => worker.sandboxes.agentOf(sandboxId).terminals;

  app.post(
    "/v1/sandboxes/:sandboxId/pty",
    {
      schema: {
        params: sandboxParamsSchema,
        body: workerTerminalRequestSchema,
        response: { 201: openedTerminalSchema },
      },
    },
    async (request, reply) => {
      const { sandboxId } = request.params;
      const { cols, rows, shell, cwd } = request.body;
      const terminal = await terminalsOf(sandboxId)
        .open({ columns: cols, rows, shell: shell ?? "", workingDirectory: cwd ?? null })
        .catch(throwOutcome);
      return reply.status(201).send({ sessionID: terminal.id, sandboxID: sandboxId });
    },
  );

  app.get(
    "/v1/sandboxes/:sandboxId/pty",
    { schema: { params: sandboxParamsSchema, response: { 200: terminalListSchema } } },
    async ({ params: { sandboxId } }) =>
      (await terminalsOf(sandboxId).list()).map((terminal) => toTerminal(sandboxId, terminal)),
  );

  app.get(
    "/v1/sandboxes/:sandboxId/pty/:sessionId",
    { schema: { params: terminalParamsSchema, response: { 200: terminalSchema } } },
    async ({ params: { sandboxId, sessionId } }) =>
      toTerminal(sandboxId, await terminalsOf(sandboxId).get(sessionId)),
  );

  app.post(
    "/v1/sandboxes/:sandboxId/pty/:sessionId/resize",
    {
      schema: {
        params: terminalParamsSchema,
        body: terminalSizeSchema,
        response: { 200: resizedTerminalSchema },
      },
    },
    async ({ params: { sandboxId, sessionId }, body: { cols, rows } }) => {
      await terminalsOf(sandboxId).resize(sessionId, { columns: cols, rows });
      return {};
    },
  );

  app.delete(
    "/v1/sandboxes/:sandboxId/pty/:sessionId",
    { schema: { params: terminalParamsSchema } },
    async ({ params: { sandboxId, sessionId } }, reply) => {
      await terminalsOf(sandboxId).hangUp(sessionId);
      return reply.status(204).send();
    },
  );

  app.get(
    "/v1/sandboxes/:sandboxId/pty/:sessionId/output",
    { schema: { params: terminalParamsSchema } },
    async ({ params: { sandboxId, sessionId } }, reply) => {
      const output = await terminalsOf(sandboxId).output(sessionId, abortWhenClosed(reply.raw));
      return reply.header("content-type", "application/octet-stream").send(output);
    },
  );

  app.post(
    "/v1/sandboxes/:sandboxId/pty/:sessionId/input",
    { schema: { params: terminalParamsSchema }, bodyLimit: Number.MAX_SAFE_INTEGER },
    async (request, reply) => {
      const { sandboxId, sessionId } = request.params;
      if (!(request.body instanceof Readable)) {
        throw new WireError("invalid_request", "The body must be the bytes of the input");
      }
      await terminalsOf(sandboxId).input(sessionId, request.body, abortWhenClosed(reply.raw));
      return reply.status(204).send();
    },
  );
}

function toTerminal(sandboxID: string, terminal: AgentTerminal): Terminal {
  return {
    sessionID: terminal.id,
    sandboxID,
    shell: terminal.shell,
    cols: terminal.columns,
    rows: terminal.rows,
    running: terminal.running,
    ...(terminal.exitCode === undefined ? {} : { exitCode: terminal.exitCode }),
    startedAt: new Date(terminal.startedAtUnixMilliseconds).toISOString(),
    attachedClients: terminal.attachedClients,
  };
}
