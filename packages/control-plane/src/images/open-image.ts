import { type CreateSandboxRequest, WireError } from "@opencomputer/protocol/api";
import type { ImageOrigin } from "../sandboxes/plan/sandbox-plan.ts";
import type { ImageBuilds, ImageFollower } from "./image-builds.ts";
import type { Snapshots } from "./snapshots.ts";

export interface OpenImageDeps {
  imageBuilds: ImageBuilds;
  snapshots: Snapshots;
}

/**
 * Finds what a sandbox is to start from, and builds it when it does not exist.
 *
 * @returns undefined for the base image.
 * @throws {WireError} `invalid_request` when the request names both an image and a
 * snapshot, and what {@link ImageBuilds} and {@link Snapshots} throw.
 */
export async function openImage(
  { imageBuilds, snapshots }: OpenImageDeps,
  orgId: string,
  { image, snapshot }: Pick<CreateSandboxRequest, "image" | "snapshot">,
  follower: ImageFollower,
): Promise<ImageOrigin | undefined> {
  if (image && snapshot) {
    throw new WireError(
      "invalid_request",
      "snapshot: a sandbox starts from an image or a snapshot, found both: leave one out",
    );
  }
  if (image) return imageBuilds.obtain(orgId, image, follower);
  if (snapshot) return snapshots.open(orgId, snapshot, follower);
  return undefined;
}
