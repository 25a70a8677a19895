import { abortWhenClosed } from "@opencomputer/process";
import {
  commandResultSchema,
  defaults,
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  limits,
  type RunCommandRequest,
  runCommandRequestSchema,
  sandboxIdSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { ResponseDroppedError } from "../guest/guest-bounds.ts";
import { identifyCommand } from "../idempotency/command-identity.ts";
import type { KeyedCommands } from "../idempotency/create-keyed-commands.ts";
import type { Worker } from "../start/create-worker.ts";

/** Commands in a sandbox. A command ends when its caller closes the connection; one with an idempotency key ends a moment later. */
export async function commandRoutes(
  server: FastifyInstance,
  { worker, keyed }: { worker: Pick<Worker, "sandboxes">; keyed: KeyedCommands },
): Promise<void> {
  server.withTypeProvider<ZodTypeProvider>().post(
    "/v1/sandboxes/:sandboxId/exec/run",
    {
      schema: {
        headers: idempotentHeadersSchema,
        params: z.object({ sandboxId: sandboxIdSchema }),
        body: runCommandRequestSchema,
        response: { 200: commandResultSchema },
      },
    },
    async (request, reply) => {
      const { cwd, envs, timeout } = request.body;
      const timeoutSeconds =
        timeout === undefined || timeout === null || timeout === 0
          ? defaults.commandTimeoutSeconds
          : timeout;
      const { sandboxId } = request.params;
      const run = (signal: AbortSignal) =>
        worker.sandboxes
          .agentOf(sandboxId)
          .run(
            {
              command: commandArguments(request.body),
              environment: envs ?? {},
              workingDirectory: cwd ?? null,
              timeoutMilliseconds: Math.max(1, Math.round(timeoutSeconds * 1000)),
              outputBytesMax: limits.commandOutputBytesMax,
              asRoot: false,
            },
            signal,
          )
          .catch(throwRunOutcome);
      const caller = abortWhenClosed(reply.raw);
      const key = request.headers[idempotencyKeyHeader];
      if (key === undefined) return await run(caller);
      const identity = identifyCommand(sandboxId, key, "exec/run", request.body);
      return await keyed.run(identity, async (signal) => await run(signal), {
        caller,
        outputLengthOf: ({ stdout, stderr }) => stdout.length + stderr.length,
      });
    },
  );
}

/** Replaces `guest_failed`: clients retry on its status 502, and a command that may have run must not run twice. */
export function throwOutcome(error: unknown): never {
  if (!(error instanceof WireError) || error.code !== "guest_failed") throw error;
  throw new WireError("outcome_unknown", `${error.message}; the command may have run`, {
    cause: error,
  });
}

/** As {@link throwOutcome}; a command has also run when its output was dropped. */
export function throwRunOutcome(error: unknown): never {
  if (!(error instanceof ResponseDroppedError)) return throwOutcome(error);
  throw new WireError("outcome_unknown", `${error.message}; the command may have run`, {
    cause: error,
  });
}

/** A program with its arguments; a command without arguments is a script for the shell. */
export function commandArguments({ cmd, args }: RunCommandRequest): string[] {
  return args === undefined || args === null ? ["/bin/bash", "-c", cmd] : [cmd, ...args];
}
