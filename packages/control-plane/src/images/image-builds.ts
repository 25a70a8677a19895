import { randomUUID } from "node:crypto";
import { defaults, type ImageManifest, limits, WireError } from "@opencomputer/protocol/api";
import type { WorkerCheckpoint } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { PerKeyMutex } from "../concurrency/per-key-mutex.ts";
import type { Database } from "../database/database.ts";
import { recordEvent } from "../events/record-event.ts";
import type { ImageOrigin } from "../sandboxes/plan/sandbox-plan.ts";
import type { Workers } from "../worker/workers.ts";
import { type BuildLog, type BuildLogListener, createBuildLog } from "./build-log.ts";
import type { BuildSources } from "./build-sources.ts";
import type { Builders } from "./builders.ts";
import type { ImageRepository } from "./image-repository.ts";
import { imageContentHash } from "./image-repository.ts";
import { asBuildFailure, type BuildStepListener, runBuild } from "./run-build.ts";

/** A request that waits for an image. */
export interface ImageFollower {
  /** Gets the log of the build from its start, however late the follower came. */
  onLog: BuildLogListener;
  /** Aborted when the follower waits no longer. A build that nobody waits for is aborted. */
  signal: AbortSignal;
}

/** Provides the images of the orgs: one that exists is used, another is built once. */
export interface ImageBuilds {
  /**
   * Returns the image that a manifest describes.
   *
   * @throws {WireError} `image_build_failed` when a step fails,
   * `too_many_requests` when the org builds as many images as it may,
   * `limit_reached` when one more could exceed its disk budget.
   */
  obtain(orgId: string, manifest: ImageManifest, follower: ImageFollower): Promise<ImageOrigin>;
  /** Aborts every build, and waits until nothing of them is left. */
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
  database: Database;
  images: ImageRepository;
  builders: Builders;
  workers: Workers;
  sources: BuildSources;
  logger: Logger;
}): ImageBuilds {
  const { images, builders, workers, logger } = deps;
  const builds = new Map<string, Build>();
  const mutex = new PerKeyMutex();
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
        const steps = recordSteps(deps.database, orgId, contentHash);
        const options = { sandboxId: builder, manifest, log, steps, signal };
        const state = await runBuild(
          { builder: workers.of({ id: builder }), sources: deps.sources },
          options,
        );
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
      return await workers.of({ id: builder }).makeCheckpoint(checkpointId, {
        sandboxId: builder,
        kind: "full",
      });
    } catch (error) {
      throw asBuildFailure(error, "Saving the image");
    }
  }

  /** The row is kept when the checkpoint cannot be deleted: the next start tries again. */
  async function undo(orgId: string, contentHash: string, checkpointId: string): Promise<void> {
    try {
      await workers.ofCheckpoint({ id: checkpointId }).deleteCheckpoint(checkpointId);
    } catch (error) {
      logger.warn({ checkpointId, err: error }, "an incomplete image is deleted by maintenance");
    }
    await images.delete(orgId, contentHash);
  }

  function begin(orgId: string, contentHash: string, manifest: ImageManifest): Build {
    if (closed)
      throw new WireError("worker_unavailable", "The service is stopping; try again soon");
    const ofOrg = [...builds.values()].filter((other) => other.orgId === orgId);
    if (ofOrg.length >= limits.imageBuildsPerOrgMax) {
      throw new WireError(
        "too_many_requests",
        `Image build limit reached: this org builds ${limits.imageBuildsPerOrgMax} images at once, the maximum. Wait for one to end`,
      );
    }
    const parts = { log: createBuildLog(), abort: new AbortController() };
    const key = `${orgId}/${contentHash}`;
    const result = build(orgId, contentHash, manifest, parts).finally(() => builds.delete(key));
    // The log of a build that nobody waits for any more has the reason of its failure.
    result.catch(() => undefined);
    const begun = { ...parts, orgId, followers: 0, result };
    builds.set(key, begun);
    return begun;
  }

  async function follow(build: Build, { onLog, signal }: ImageFollower): Promise<ImageOrigin> {
    build.followers += 1;
    const unfollow = build.log.follow(onLog);
    let leave = (): void => undefined;
    const left = new Promise<never>((_resolve, reject) => {
      leave = () => reject(noLongerAwaited());
    });
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      return await Promise.race([build.result, left]);
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
      const found = await mutex.run(`${orgId}/${contentHash}`, async () => {
        const running = builds.get(`${orgId}/${contentHash}`);
        if (running !== undefined && !running.abort.signal.aborted) return { running };
        // One that was aborted has to be removed before the next begins.
        await running?.result.catch(() => undefined);
        const image = await images.use(orgId, contentHash);
        return image === undefined ? { running: begin(orgId, contentHash, manifest) } : { image };
      });
      if (found.running !== undefined) return follow(found.running, follower);
      const { checkpointId, envs, workingDirectory } = found.image;
      const message = `Image ${contentHash.slice(0, 12)} exists`;
      follower.onLog({ step: 0, type: "cache_hit", message });
      return { checkpointId, envs, workingDirectory };
    },

    async close() {
      closed = true;
      const ending = [...builds.values()];
      const reason = "The service was stopped during the build: send the request again";
      for (const { abort } of ending) abort.abort(new WireError("image_build_failed", reason));
      await Promise.allSettled(ending.map(({ result }) => result));
    },
  };
}

function recordSteps(database: Database, orgId: string, contentHash: string): BuildStepListener {
  const owner = { orgId, sandboxId: null };
  return {
    started: (step) =>
      recordEvent(database, {
        ...owner,
        type: "image.step_started",
        data: { contentHash, ...step },
      }),
    finished: (step) =>
      recordEvent(database, {
        ...owner,
        type: "image.step_finished",
        data: { contentHash, ...step },
      }),
    failed: (step, exitCode) =>
      recordEvent(database, {
        ...owner,
        type: "image.step_failed",
        data: { contentHash, ...step, exitCode },
      }),
  };
}

/** Commands and their output are the caller's, and not for the log. */
function loggable(error: unknown): Record<string, unknown> {
  if (!(error instanceof WireError) || error.code !== "image_build_failed") return { err: error };
  return { code: error.code, step: error.details?.["step"], type: error.details?.["type"] };
}

function noLongerAwaited(): WireError {
  return new WireError(
    "invalid_request",
    "The build was aborted: its caller closed the connection",
  );
}
