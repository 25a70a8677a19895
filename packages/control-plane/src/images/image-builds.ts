import { randomUUID } from "node:crypto";
import {
  defaults,
  type ImageManifest,
  limits,
  WireError,
  type WorkerCheckpoint,
} from "@opencomputer/protocol";
import type { Logger } from "pino";
import { createKeyedLock } from "../sandboxes/keyed-lock.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import { asBuildFailure } from "./build-failure.ts";
import { type BuildLog, type BuildLogListener, createBuildLog } from "./build-log.ts";
import type { BuildSources } from "./build-sources.ts";
import type { Builders } from "./builders.ts";
import { imageContentHash } from "./content-hash.ts";
import type { ImageOrigin } from "./image-origin.ts";
import type { ImageRepository } from "./image-repository.ts";
import { runBuild } from "./run-build.ts";

/** Whoever waits for an image. */
export interface ImageFollower {
  /** Hears the log of the build from its start, however late the follower came. */
  onLog: BuildLogListener;
  /** The follower waits no longer. A build that nobody waits for is given up. */
  signal: AbortSignal;
}

/** The images of the orgs: what is there is used, what is not is built once. */
export interface ImageBuilds {
  /**
   * The image that a manifest describes.
   *
   * @throws {WireError} `image_build_failed` when a step fails,
   * `too_many_requests` when the org builds as many images as it may,
   * `limit_reached` when it has no room for one more.
   */
  obtain(orgId: string, manifest: ImageManifest, follower: ImageFollower): Promise<ImageOrigin>;
  /** Gives up every build, and waits until nothing of them is left. */
  close(): Promise<void>;
}

interface Build {
  orgId: string;
  log: BuildLog;
  followers: number;
  abort: AbortController;
  result: Promise<ImageOrigin>;
}

export function createImageBuilds(deps: {
  images: ImageRepository;
  builders: Builders;
  worker: Pick<WorkerClient, "run" | "writeFile" | "makeCheckpoint" | "deleteCheckpoint">;
  sources: BuildSources;
  logger: Logger;
}): ImageBuilds {
  const { images, builders, worker, logger } = deps;
  const builds = new Map<string, Build>();
  const lock = createKeyedLock();
  let closed = false;

  /** Nothing is left of a build that fails: no image, no checkpoint, no builder. */
  async function build(
    orgId: string,
    contentHash: string,
    manifest: ImageManifest,
    { log, abort: { signal } }: Pick<Build, "log" | "abort">,
  ): Promise<ImageOrigin> {
    const checkpointId = randomUUID();
    const memoryMB = manifest.builderMemoryMB || defaults.memoryMB;
    await images.begin(orgId, contentHash, { checkpointId, memoryMB });
    try {
      log.add({ step: 0, type: "build", message: `Building image ${contentHash.slice(0, 12)}` });
      const image = await builders.use(orgId, memoryMB, signal, async (builder) => {
        const options = { sandboxId: builder, manifest, log, signal };
        const state = await runBuild({ builder: worker, sources: deps.sources }, options);
        log.add({ step: 0, type: "build", message: "Saving the image" });
        const { sizeBytes } = await save(checkpointId, builder);
        signal.throwIfAborted();
        return { ...state, envs: { ...state.envs }, sizeBytes };
      });
      await images.complete(orgId, contentHash, image);
      log.add({ step: 0, type: "build", message: "The image is ready" });
      const { envs, workingDirectory } = image;
      return { checkpointId, envs, workingDirectory };
    } catch (error) {
      logger.warn({ contentHash, ...loggable(error) }, "an image was not built");
      await undo(orgId, contentHash, checkpointId);
      throw signal.aborted ? signal.reason : error;
    }
  }

  async function save(checkpointId: string, builder: string): Promise<WorkerCheckpoint> {
    try {
      return await worker.makeCheckpoint(checkpointId, {
        sandboxId: builder,
        kind: "full",
      });
    } catch (error) {
      throw asBuildFailure(error, "Saving the image");
    }
  }

  /** The row stays when the checkpoint cannot be deleted: the next start tries again. */
  async function undo(orgId: string, contentHash: string, checkpointId: string): Promise<void> {
    try {
      await worker.deleteCheckpoint(checkpointId);
    } catch (error) {
      logger.warn({ checkpointId, err: error }, "a half-made image waits for the next upkeep");
    }
    await images.delete(orgId, contentHash);
  }

  function begin(orgId: string, contentHash: string, manifest: ImageManifest): Build {
    if (closed) throw new WireError("worker_unavailable", "The service ends; try again soon");
    const ofOrg = [...builds.values()].filter((other) => other.orgId === orgId);
    if (ofOrg.length >= limits.imageBuildsPerOrgMax) {
      throw new WireError(
        "too_many_requests",
        `This org builds ${limits.imageBuildsPerOrgMax} images, the most at once: wait for one to end`,
      );
    }
    const parts = { log: createBuildLog(), abort: new AbortController() };
    const key = `${orgId}/${contentHash}`;
    const result = build(orgId, contentHash, manifest, parts).finally(() => builds.delete(key));
    // A build that nobody waits for any more has told its log why it failed.
    result.catch(() => undefined);
    const begun = { ...parts, orgId, followers: 0, result };
    builds.set(key, begun);
    return begun;
  }

  async function follow(build: Build, { onLog, signal }: ImageFollower): Promise<ImageOrigin> {
    build.followers += 1;
    const unfollow = build.log.follow(onLog);
    let leave = (): void => undefined;
    const gone = new Promise<never>((_resolve, reject) => {
      leave = () => reject(noLongerAwaited());
    });
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      return await Promise.race([build.result, gone]);
    } finally {
      signal.removeEventListener("abort", leave);
      unfollow();
      build.followers -= 1;
      if (build.followers === 0) build.abort.abort(noLongerAwaited());
    }
  }

  return {
    async obtain(orgId, manifest, follower) {
      const contentHash = imageContentHash(manifest);
      const found = await lock.run(`${orgId}/${contentHash}`, async () => {
        const running = builds.get(`${orgId}/${contentHash}`);
        if (running !== undefined && !running.abort.signal.aborted) return { running };
        // One that was given up has to be gone before the next begins.
        await running?.result.catch(() => undefined);
        const image = await images.use(orgId, contentHash);
        return image === undefined ? { running: begin(orgId, contentHash, manifest) } : { image };
      });
      if (found.running !== undefined) return follow(found.running, follower);
      const { checkpointId, envs, workingDirectory } = found.image;
      const message = `Image ${contentHash.slice(0, 12)} is there already`;
      follower.onLog({ step: 0, type: "cache_hit", message });
      return { checkpointId, envs, workingDirectory };
    },

    async close() {
      closed = true;
      const ending = [...builds.values()];
      const reason = "The service was stopped during the build: ask for it again";
      for (const { abort } of ending) abort.abort(new WireError("image_build_failed", reason));
      await Promise.allSettled(ending.map(({ result }) => result));
    },
  };
}

/** Commands and their output are the caller's, and not for the log. */
function loggable(error: unknown): Record<string, unknown> {
  if (!(error instanceof WireError) || error.code !== "image_build_failed") return { err: error };
  return { code: error.code, step: error.details?.["step"], type: error.details?.["type"] };
}

function noLongerAwaited(): WireError {
  return new WireError("invalid_request", "The build was given up: nobody waits for it any more");
}
