import {
  createSnapshotRequestSchema,
  limits,
  snapshotRecordSchema,
  WireError,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { createBuildLog } from "../../images/build-log.ts";
import type { SnapshotRepository } from "../../images/snapshot-repository.ts";
import type { Snapshots } from "../../images/snapshots.ts";
import { clientGone } from "../client-gone.ts";
import { answerWithEvents, wantsEventStream } from "../event-stream.ts";
import { noContent } from "../no-content.ts";

export interface SnapshotRoutes {
  snapshots: Snapshots;
  snapshotRows: SnapshotRepository;
}

const paramsSchema = z.object({ name: z.string() });

/** Named images. */
export const snapshotRoutes: FastifyPluginAsyncZod<SnapshotRoutes> = async (app, deps) => {
  const { snapshots, snapshotRows } = deps;

  app.post(
    "/snapshots",
    {
      bodyLimit: limits.manifestBytesMax,
      config: { eventStream: true },
      schema: {
        summary: "Build an image and give it a name; answers when it can be used",
        querystring: z.object({
          /** Answers at once; the row tells when the build has ended. */
          async: z.enum(["", "0", "1", "false", "true"]).optional(),
        }),
        body: createSnapshotRequestSchema,
        response: { 201: snapshotRecordSchema, 202: snapshotRecordSchema },
      },
    },
    async (request, reply) => {
      const { orgId, body } = request;
      if (request.query.async === "1" || request.query.async === "true") {
        const { row } = await snapshots.create(orgId, body, () => undefined);
        return reply.code(202).send(row);
      }
      const gone = clientGone(reply);
      /** The row of a failed build is for those who have not heard of it here. */
      const orDiscard = (id: string) => async (error: unknown) => {
        if (!gone.aborted) await snapshots.discardFailed(id);
        throw error;
      };
      if (!wantsEventStream(request)) {
        const { row, ready } = await snapshots.create(orgId, body, () => undefined);
        return reply.code(201).send(await ready.catch(orDiscard(row.id)));
      }
      const log = createBuildLog();
      const { row, ready } = await snapshots.create(orgId, body, log.add);
      return answerWithEvents(reply, (onLog) => {
        log.follow(onLog);
        return ready.catch(orDiscard(row.id));
      });
    },
  );

  app.get(
    "/snapshots",
    { schema: { summary: "List snapshots", response: { 200: z.array(snapshotRecordSchema) } } },
    async (request) => snapshotRows.list(request.orgId),
  );

  app.get(
    "/snapshots/:name",
    {
      schema: {
        summary: "Get a snapshot",
        params: paramsSchema,
        response: { 200: snapshotRecordSchema },
      },
    },
    async ({ orgId, params: { name } }) => {
      const found = await snapshotRows.find(orgId, name);
      if (found !== undefined) return found;
      throw new WireError("not_found", `snapshot not found: ${name}`);
    },
  );

  app.delete(
    "/snapshots/:name",
    {
      schema: {
        summary: "Delete a snapshot; sandboxes made from it run on",
        response: noContent,
        params: paramsSchema,
      },
    },
    async (request, reply) => {
      await snapshots.delete(request.orgId, request.params.name);
      return reply.code(204).send();
    },
  );
};
