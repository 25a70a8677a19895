import {
  commandResultSchema,
  defaults,
  limits,
  type RunCommandRequest,
  runCommandRequestSchema,
  sandboxIdSchema,
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
    (request, reply) => {
      const { cwd, envs, timeout } = request.body;
      const timeoutSeconds =
        timeout === undefined || timeout === null || timeout === 0
          ? defaults.commandTimeoutSeconds
          : timeout;
      return worker.sandboxes.agentOf(request.params.sandboxId).run(
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
    },
  );
}

/** A program with its arguments as it is; a lone command is a script for the shell. */
export function commandArguments({ cmd, args }: RunCommandRequest): string[] {
  return args === undefined || args === null ? ["/bin/bash", "-c", cmd] : [cmd, ...args];
}
