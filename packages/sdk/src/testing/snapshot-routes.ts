import { createHash, randomUUID } from "node:crypto";
import {
  type BuildLogEvent,
  createSnapshotRequestSchema,
  type ImageManifest,
  type SnapshotRecord,
  snapshotRecordSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { z } from "zod";
import type { Exchange, Route } from "./route.ts";

const orgId = randomUUID();

export type SnapshotState = Map<string, SnapshotRecord>;

/**
 * Snapshots whose builds only log what they would do. A `run` step with the
 * command `false` fails.
 */
export function snapshotRoutes(snapshots: SnapshotState): Route[] {
  const find = (exchange: Exchange): SnapshotRecord =>
    findSnapshot(snapshots, exchange.parameter("name"), "not_found");
  return [
    {
      method: "POST",
      path: "/snapshots",
      async handle(exchange) {
        const { name, image } = await exchange.body(createSnapshotRequestSchema);
        if (snapshots.has(name)) {
          throw new WireError("name_in_use", `A snapshot named ${JSON.stringify(name)} exists`);
        }
        await respondWithBuild(exchange, image, snapshotRecordSchema, () => {
          const { base, steps } = image;
          const row: SnapshotRecord = {
            ...{ id: randomUUID(), orgId, name, manifest: image, status: "ready" },
            contentHash: createHash("sha256").update(JSON.stringify({ base, steps })).digest("hex"),
            ...{ createdAt: new Date().toISOString(), lastUsedAt: null },
          };
          snapshots.set(name, row);
          return row;
        });
      },
    },
    {
      method: "GET",
      path: "/snapshots",
      async handle(exchange) {
        await exchange.respond(200, snapshotRecordSchema.array(), [...snapshots.values()]);
      },
    },
    {
      method: "GET",
      path: "/snapshots/:name",
      async handle(exchange) {
        await exchange.respond(200, snapshotRecordSchema, find(exchange));
      },
    },
    {
      method: "DELETE",
      path: "/snapshots/:name",
      handle(exchange) {
        snapshots.delete(find(exchange).name);
        exchange.done();
      },
    },
  ];
}

export function findSnapshot(
  snapshots: SnapshotState,
  name: string,
  code: "not_found" | "snapshot_not_found",
): SnapshotRecord {
  const snapshot = snapshots.get(name);
  if (snapshot !== undefined) return snapshot;
  throw new WireError(code, `snapshot not found: ${name}`);
}

/** Responds as the service does when an image is built: with events when they are requested. */
export async function respondWithBuild<Schema extends z.ZodType>(
  exchange: Exchange,
  manifest: ImageManifest,
  schema: Schema,
  finish: () => z.input<Schema>,
): Promise<void> {
  const { request, response } = exchange;
  const failed = manifest.steps.findIndex(
    ({ type, args }) => type === "run" && args.commands.includes("false"),
  );
  const failure =
    failed === -1
      ? undefined
      : new WireError(
          "image_build_failed",
          `Step ${failed + 1} (run) failed: false ended with exit code 1`,
        );
  if (request.headers.accept !== "text/event-stream") {
    if (failure !== undefined) throw failure;
    await exchange.respond(201, schema, finish());
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (name: string, data: unknown) =>
    response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  for (const [index, { type }] of manifest.steps.entries()) {
    const step = index + 1;
    const place = `Step ${step}/${manifest.steps.length}`;
    const log = (event: BuildLogEvent) => send("build_log", event);
    log({ step, type, message: `${place}: ${type}` });
    response.write(": keepalive\n\n");
    if (index === failed) break;
    log({ step, type, message: `${place} completed` });
  }
  if (failure === undefined) send("result", schema.parse(finish()));
  else send("error", failure.toBody());
  response.end();
}
