import { Readable } from "node:stream";
import { abortWhenClosed } from "@opencomputer/process";
import {
  type AsyncCommand,
  asyncCommandWaits,
  type CommandSession,
  commandProgressSchema,
  commandSessionListSchema,
  commandSessionSchema,
  defaults,
  endedCommandSchema,
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  killedSessionSchema,
  killSessionRequestSchema,
  limits,
  runCommandRequestSchema,
  runningCommandSchema,
  type StartSessionRequest,
  sandboxIdSchema,
  sessionIdSchema,
  startSessionRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { AgentSession } from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { AgentClient } from "../guest/agent-client.ts";
import type { AgentSessions } from "../guest/agent-sessions.ts";
import { type CommandIdentity, identifyCommand } from "../idempotency/command-identity.ts";
import type { KeyedCommands } from "../idempotency/create-keyed-commands.ts";
import { throwOutcome } from "./command-routes.ts";

const sandboxParamsSchema = z.object({ sandboxId: sandboxIdSchema });
const sessionParamsSchema = sandboxParamsSchema.extend({ sessionId: sessionIdSchema });
const sigkill = 9;

interface SessionsBySandbox {
  agentOf(sandboxId: string): Pick<AgentClient, "sessions">;
}

/** Commands that outlive the call which started them. Their state is only in the guest. */
export async function sessionRoutes(
  server: FastifyInstance,
  { worker, keyed }: { worker: { sandboxes: SessionsBySandbox }; keyed: KeyedCommands },
): Promise<void> {
  const app = server.withTypeProvider<ZodTypeProvider>();
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
    done(null, payload),
  );
  const sessionsOf = (sandboxId: string) => worker.sandboxes.agentOf(sandboxId).sessions;

  app.post(
    "/v1/sandboxes/:sandboxId/exec",
    {
      schema: {
        headers: idempotentHeadersSchema,
        params: sandboxParamsSchema,
        body: startSessionRequestSchema,
        response: { 201: commandSessionSchema },
      },
    },
    async (request, reply) => {
      const { sandboxId } = request.params;
      const { timeout, maxRunAfterDisconnect } = request.body;
      const start = async (identity?: CommandIdentity) =>
        await sessionsOf(sandboxId)
          .start({
            ...describeCommand(request.body),
            input: true,
            timeoutMilliseconds: toMilliseconds(timeout),
            maxRunAfterDisconnectMilliseconds: toMilliseconds(maxRunAfterDisconnect),
            outputBytesMax: 0,
            ...describeIdentity(identity),
          })
          .catch(throwOutcome);
      const key = request.headers[idempotencyKeyHeader];
      const identity =
        key === undefined ? undefined : identifyCommand(sandboxId, key, "exec", request.body);
      const session = await (identity === undefined
        ? start()
        : keyed.run(identity, () => start(identity)));
      return reply.status(201).send(toCommandSession(sandboxId, session));
    },
  );

  app.post(
    "/v1/sandboxes/:sandboxId/exec/run-async",
    {
      schema: {
        headers: idempotentHeadersSchema,
        params: sandboxParamsSchema,
        body: runCommandRequestSchema,
        response: { 200: endedCommandSchema, 202: runningCommandSchema },
      },
    },
    async (request, reply) => {
      const { sandboxId } = request.params;
      const start = async (identity?: CommandIdentity) =>
        await startInBackground(sessionsOf(sandboxId), request.body, identity).catch(throwOutcome);
      const key = request.headers[idempotencyKeyHeader];
      const identity =
        key === undefined
          ? undefined
          : identifyCommand(sandboxId, key, "exec/run-async", request.body);
      const command = await (identity === undefined
        ? start()
        : keyed.run(identity, () => start(identity), {
            outputLengthOf: (ended) =>
              ended.running ? 0 : ended.stdout.length + ended.stderr.length,
          }));
      return command.running ? reply.status(202).send(command) : reply.status(200).send(command);
    },
  );

  app.get(
    "/v1/sandboxes/:sandboxId/exec",
    { schema: { params: sandboxParamsSchema, response: { 200: commandSessionListSchema } } },
    async ({ params: { sandboxId } }) =>
      (await sessionsOf(sandboxId).list()).map((session) => toCommandSession(sandboxId, session)),
  );

  app.get(
    "/v1/sandboxes/:sandboxId/exec/:sessionId",
    { schema: { params: sessionParamsSchema, response: { 200: commandSessionSchema } } },
    async ({ params: { sandboxId, sessionId } }) =>
      toCommandSession(sandboxId, await sessionsOf(sandboxId).get(sessionId)),
  );

  app.get(
    "/v1/sandboxes/:sandboxId/exec/:sessionId/result",
    { schema: { params: sessionParamsSchema, response: { 200: commandProgressSchema } } },
    ({ params: { sandboxId, sessionId } }) =>
      sessionsOf(sandboxId).result(sessionId, {
        waitMilliseconds: asyncCommandWaits.resultMilliseconds,
        forget: false,
      }),
  );

  app.post(
    "/v1/sandboxes/:sandboxId/exec/:sessionId/kill",
    {
      schema: {
        params: sessionParamsSchema,
        body: killSessionRequestSchema,
        response: { 200: killedSessionSchema },
      },
    },
    async ({ params: { sandboxId, sessionId }, body }) => {
      await sessionsOf(sandboxId).kill(sessionId, body.signal ?? sigkill);
      return {};
    },
  );

  app.get(
    "/v1/sandboxes/:sandboxId/exec/:sessionId/output",
    { schema: { params: sessionParamsSchema } },
    async ({ params: { sandboxId, sessionId } }, reply) => {
      const output = await sessionsOf(sandboxId).output(sessionId, abortWhenClosed(reply.raw));
      return reply.header("content-type", "application/octet-stream").send(output);
    },
  );

  app.post(
    "/v1/sandboxes/:sandboxId/exec/:sessionId/input",
    { schema: { params: sessionParamsSchema }, bodyLimit: Number.MAX_SAFE_INTEGER },
    async (request, reply) => {
      const { sandboxId, sessionId } = request.params;
      if (!(request.body instanceof Readable)) {
        throw new WireError("invalid_request", "The body must be the bytes of the input");
      }
      const signal = abortWhenClosed(reply.raw);
      await sessionsOf(sandboxId).input(sessionId, request.body, signal);
      return reply.status(204).send();
    },
  );
}

/** Starts a command without input and waits a moment, so that a quick one needs only one call. */
async function startInBackground(
  sessions: AgentSessions,
  command: StartSessionRequest,
  identity: CommandIdentity | undefined,
): Promise<AsyncCommand> {
  const deadline = performance.now() + asyncCommandWaits.startMilliseconds;
  const session = await sessions.start({
    ...describeCommand(command),
    input: false,
    timeoutMilliseconds: toMilliseconds(command.timeout || defaults.commandTimeoutSeconds),
    maxRunAfterDisconnectMilliseconds: 0,
    outputBytesMax: limits.commandOutputBytesMax,
    ...describeIdentity(identity),
  });
  const waitMilliseconds = Math.max(0, Math.ceil(deadline - performance.now()));
  const { running, exitCode, error, ...output } = await sessions.result(session.id, {
    waitMilliseconds,
    forget: true,
  });
  if (!running) return { running: false, exitCode: exitCode ?? -1, ...output };
  return { running: true, execId: session.id, startedAt: startOf(session) };
}

/** What lets the guest start the session only once, even when the worker is restarted meanwhile. */
function describeIdentity(identity: CommandIdentity | undefined) {
  if (identity === undefined) return {};
  return { id: identity.sessionId, fingerprint: identity.fingerprint };
}

/** A program with its arguments; a command without arguments is a script for the shell. */
function describeCommand({ cmd, args, envs, cwd }: StartSessionRequest) {
  return {
    command: [cmd, ...(args ?? [])],
    shell: args === undefined || args === null,
    environment: envs ?? {},
    workingDirectory: cwd ?? null,
  };
}

function toMilliseconds(seconds: number | null | undefined): number {
  return seconds ? Math.max(1, Math.round(seconds * 1000)) : 0;
}

function toCommandSession(sandboxID: string, session: AgentSession): CommandSession {
  const [command = "", ...args] = session.command;
  return {
    sessionID: session.id,
    sandboxID,
    command,
    args,
    running: session.running,
    ...(session.exitCode === undefined ? {} : { exitCode: session.exitCode }),
    startedAt: startOf(session),
    attachedClients: session.attachedClients,
  };
}

function startOf(session: AgentSession): string {
  return new Date(session.startedAtUnixMilliseconds).toISOString();
}
