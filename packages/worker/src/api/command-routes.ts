import {
  commandResultSchema,
  defaults,
  limits,
  type RunCommandRequest,
  runCommandRequestSchema,
  sandboxIdSchema,
  WireError,
} from "@opencomputer/protocol";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Worker } from "../create-worker.ts";
import { abortWhenClosed } from "./abort-when-closed.ts";

/** Commands in a sandbox. A caller that goes away ends its command. */
export async function commandRoutes(
  server: FastifyInstance,
  { worker }: { worker: Pick<Worker, "sandboxes"> },
): Promise<void> {
  server.withTypeProvider<ZodTypeProvider>().post(
    "/v1/sandboxes/:sandboxId/exec/run",
    {
      schema: {
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
      const agent = worker.sandboxes.agentOf(request.params.sandboxId);
      const run = agent.run(
        {
          command: commandArguments(request.body),
          environment: envs ?? {},
          workingDirectory: cwd ?? null,
          timeoutMilliseconds: Math.max(1, Math.round(timeoutSeconds * 1000)),
          outputBytesMax: limits.commandOutputBytesMax,
          asRoot: false,
        },
        abortWhenClosed(reply.raw),
      );
      return await run.catch(throwOutcome);
    },
  );
}

/** Clients try again on a 502: a command that may have run must not be answered with one. */
export function throwOutcome(error: unknown): never {
  if (!(error instanceof WireError) || error.code !== "guest_failed") throw error;
  throw new WireError("outcome_unknown", `${error.message}; the command may have run`, {
    cause: error,
  });
}

/** A program with its arguments as it is; a lone command is a script for the shell. */
export function commandArguments({ cmd, args }: RunCommandRequest): string[] {
  return args === undefined || args === null ? ["/bin/bash", "-c", cmd] : [cmd, ...args];
}
