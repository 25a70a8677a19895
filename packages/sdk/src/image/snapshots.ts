import {
  type BuildLogEvent,
  type SnapshotRecord,
  snapshotRecordSchema,
} from "@opencomputer/protocol/api";
import { type CallOptions, type ConnectionOptions, resolveConnection } from "../connection.ts";
import { apiPath } from "../request/api-request.ts";
import { requestWithLog } from "../request/read-events.ts";
import { requestDeletion, requestJson } from "../request/send-request.ts";
import type { Image } from "./image.ts";

/** Options of {@link Snapshots.create}. */
export interface CreateSnapshotOptions extends CallOptions {
  /** Unique in the org, at most 128 characters. {@link Sandbox.create} accepts it as `snapshot`. */
  name: string;
  /** What to build. */
  image: Image;
  /** Called with each line of the build as it is printed. */
  onBuildLog?: ((event: BuildLogEvent) => void) | undefined;
}

/**
 * Named images, built before the sandboxes that start from them. Every call
 * throws {@link OpenComputerError}.
 */
export class Snapshots {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions = {}) {
    this.#options = options;
  }

  /**
   * Builds an image and names it; resolves when it can be used. An image that
   * exists already is not built again. The build continues when the call is
   * aborted.
   *
   * @throws {OpenComputerError} `name_in_use`; `image_build_failed` with the
   * step, its command and the end of its output; `too_many_requests` when the org builds as many
   * images as it may; `limit_exceeded` when it has as many snapshots as it may, `limit_reached` when no disk space is left to it.
   */
  async create(options: CreateSnapshotOptions): Promise<SnapshotRecord> {
    const { name, image, onBuildLog } = options;
    return await requestWithLog(
      this.#at(options),
      { method: "POST", path: "/snapshots", body: { kind: "json", value: { name, image } } },
      snapshotRecordSchema,
      onBuildLog,
    );
  }

  /** Lists all snapshots of the org, by name. */
  async list(options?: CallOptions): Promise<SnapshotRecord[]> {
    const request = { method: "GET", path: "/snapshots" } as const;
    return await requestJson(this.#at(options), request, snapshotRecordSchema.array());
  }

  /** Returns one snapshot. @throws {OpenComputerError} `not_found`. */
  async get(name: string, options?: CallOptions): Promise<SnapshotRecord> {
    const request = { method: "GET", path: apiPath`/snapshots/${name}` } as const;
    return await requestJson(this.#at(options), request, snapshotRecordSchema);
  }

  /** Deletes a snapshot. Sandboxes made from it keep running. @throws {OpenComputerError} `not_found`. */
  async delete(name: string, options?: CallOptions): Promise<void> {
    const request = { method: "DELETE", path: apiPath`/snapshots/${name}` } as const;
    await requestDeletion(this.#at(options), request);
  }

  #at(options: CallOptions | undefined) {
    const connection = resolveConnection(this.#options);
    return { ...connection, signal: options?.signal ?? connection.signal };
  }
}
