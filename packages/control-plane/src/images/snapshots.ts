import {
  type CreateSnapshotRequest,
  type SnapshotRecord,
  WireError,
} from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import type { ImageOrigin } from "../sandboxes/plan/sandbox-plan.ts";
import type { ImageBuilds, ImageFollower } from "./image-builds.ts";
import type { SnapshotList, SnapshotRepository } from "./snapshot-repository.ts";

/** Builds, opens and removes named images. */
export interface Snapshots {
  /**
   * Adds a snapshot and begins its build, which continues when nobody waits for it.
   * `ready` rejects with `image_build_failed` when it fails, which the row then states too;
   * and with `snapshot_not_ready` when the snapshot is deleted meanwhile.
   *
   * @throws {WireError} `name_in_use`, `limit_exceeded`, `limit_reached`
   */
  create(
    orgId: string,
    request: CreateSnapshotRequest,
    onLog: ImageFollower["onLog"],
  ): Promise<{ row: SnapshotRecord; ready: Promise<SnapshotRecord> }>;
  /**
   * Returns the image of a snapshot, for a sandbox. One that is being built is
   * waited for, one that was lost is built again.
   *
   * @throws {WireError} `snapshot_not_found`; `snapshot_not_ready`, also when
   * it is deleted while it is waited for
   */
  open(orgId: string, name: string, follower: ImageFollower): Promise<ImageOrigin>;
  /**
   * Removes a snapshot. Sandboxes made from it continue to run; requests that wait
   * for its build fail with an error that states the removal.
   *
   * @throws {WireError} `not_found`
   */
  delete(orgId: string, name: string): Promise<void>;
  list(orgId: string): Promise<SnapshotList>;
  /** @throws {WireError} `not_found` */
  get(orgId: string, name: string): Promise<SnapshotRecord>;
  /** Removes a snapshot whose build failed, once its creator has got the error. */
  discardFailed(id: string): Promise<void>;
}

export function createSnapshots(deps: {
  snapshots: SnapshotRepository;
  imageBuilds: ImageBuilds;
  logger: Logger;
}): Snapshots {
  const { snapshots, imageBuilds, logger } = deps;
  /** Aborts builds of snapshots that are deleted, by the snapshot's id. */
  const waiting = new Map<string, AbortController>();

  async function finish(
    row: SnapshotRecord,
    {
      manifest,
      onLog,
      abort,
    }: Pick<SnapshotRecord, "manifest"> & {
      onLog: ImageFollower["onLog"];
      abort: AbortController;
    },
  ): Promise<SnapshotRecord> {
    try {
      await imageBuilds.obtain(row.orgId, manifest, { onLog, signal: abort.signal });
    } catch (error) {
      if (abort.signal.aborted) throw deletedDuringBuild(row.name, error);
      const failure = error instanceof WireError ? error.message : "The build failed unexpectedly";
      await snapshots.end(row.id, { failure });
      throw error;
    } finally {
      waiting.delete(row.id);
    }
    const ready = await snapshots.end(row.id, { failure: null });
    if (ready !== undefined) return ready;
    throw deletedDuringBuild(row.name, undefined);
  }

  return {
    async create(orgId, { name, image }, onLog) {
      const row = await snapshots.begin(orgId, name, image);
      const abort = new AbortController();
      waiting.set(row.id, abort);
      const ready = finish(row, { manifest: image, onLog, abort });
      ready.catch(() => logger.info({ snapshotId: row.id }, "a snapshot was not made"));
      return { row, ready };
    },

    async open(orgId, name, follower) {
      const found = await snapshots.find(orgId, name);
      if (found === undefined) {
        throw new WireError("snapshot_not_found", `snapshot not found: ${name}`, {
          remediation: "oc snapshot list, oc snapshot create --name <name>",
        });
      }
      const { status, failure, manifest } = found;
      if (status === "failed") {
        throw new WireError(
          "snapshot_not_ready",
          `Snapshot ${JSON.stringify(name)} could not be built: ${failure ?? "see its log"}`,
        );
      }
      await snapshots.touch(orgId, name);
      const deletion = waiting.get(found.id)?.signal;
      if (deletion === undefined) return imageBuilds.obtain(orgId, manifest, follower);
      const signal = AbortSignal.any([follower.signal, deletion]);
      try {
        return await imageBuilds.obtain(orgId, manifest, { ...follower, signal });
      } catch (error) {
        if (deletion.aborted) throw deletedDuringBuild(name, error);
        throw error;
      }
    },

    async delete(orgId, name) {
      const deleted = await snapshots.delete(orgId, name);
      if (deleted === undefined) throw snapshotNotFound(name);
      waiting.get(deleted.id)?.abort();
    },

    list: (orgId) => snapshots.list(orgId),

    async get(orgId, name) {
      const found = await snapshots.find(orgId, name);
      if (found === undefined) throw snapshotNotFound(name);
      return found;
    },

    discardFailed: (id) => snapshots.deleteById(id),
  };
}

function snapshotNotFound(name: string): WireError {
  return new WireError("not_found", `snapshot not found: ${name}`);
}

function deletedDuringBuild(name: string, cause: unknown): WireError {
  return new WireError(
    "snapshot_not_ready",
    `Snapshot ${JSON.stringify(name)} was deleted while it was being built. Create it again`,
    { cause, remediation: "oc snapshot create --name <name>" },
  );
}
