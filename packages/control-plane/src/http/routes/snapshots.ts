import { abortWhenClosed } from "@opencomputer/process";
import {
  createSnapshotRequestSchema,
  limits,
  snapshotRecordSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { createBuildLog } from "../../images/build-log.ts";
import type { Snapshots } from "../../images/snapshots.ts";
import { respondWithEvents, wantsEventStream } from "../respond/event-stream.ts";
import { respondWithList } from "../respond/json-list.ts";
import { buildStreamText, noContent } from "./route-parts.ts";

const paramsSchema = z.object({ name: z.string() });

/** Named images. */
export const snapshotRoutes: FastifyPluginAsyncZod<{ snapshots: Snapshots }> = async (
  app,
  { snapshots },
) => {
  app.post(
    "/snapshots",
    {
      bodyLimit: limits.manifestBytesMax,
      config: { eventStream: buildStreamText },
      schema: {
        summary: "Build an image and give it a name; responds when it can be used",
        querystring: z.object({
          /** Responds at once; the snapshot's status changes when the build ends. */
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
      const gone = abortWhenClosed(reply.raw);
      /** The row of a failed build is kept only when this response cannot report the failure. */
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
      return respondWithEvents(reply, (onLog) => {
        log.follow(onLog);
        return ready.catch(orDiscard(row.id));
      });
    },
  );

  app.get(
    "/snapshots",
    { schema: { summary: "List snapshots", response: { 200: z.array(snapshotRecordSchema) } } },
    async (request, reply) => {
      const { records, heldBytesMax } = await snapshots.list(request.orgId);
      return respondWithList(reply, { items: records, heldBytesMax });
    },
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
    async (request) => snapshots.get(request.orgId, request.params.name),
  );

  app.delete(
    "/snapshots/:name",
    {
      schema: {
        summary: "Delete a snapshot; sandboxes created from it keep running",
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
