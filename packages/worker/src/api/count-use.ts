import { sandboxIdSchema } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { UseWatch } from "../use/create-use-watch.ts";

const paramsSchema = z.object({ sandboxId: sandboxIdSchema });
/** Commands, files and terminals. */
const usePattern = /^\/v1\/sandboxes\/:sandboxId\/(exec|files|pty)(\/|$)/;
/** Connections that stay open: their bytes count as use, not the open connection. */
const streamPattern = /\/(input|output)$/;

/** Counts a request as use of its sandbox, if it is for commands, files or terminals. */
export function countUse(
  useWatch: Pick<UseWatch, "begin" | "watch">,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const route = request.routeOptions.url ?? "";
  const params = usePattern.test(route) ? paramsSchema.safeParse(request.params) : undefined;
  if (params?.success !== true) return;
  const { sandboxId } = params.data;
  const end = streamPattern.test(route)
    ? useWatch.watch(sandboxId, request.raw.socket)
    : useWatch.begin(sandboxId);
  reply.raw.once("close", end);
}
