import { type CreateSandboxRequest, WireError } from "@opencomputer/protocol";
import type { ImageBuilds, ImageFollower } from "./image-builds.ts";
import type { ImageOrigin } from "./image-origin.ts";
import type { Snapshots } from "./snapshots.ts";

/**
 * What a sandbox is to start from, built when it is not there.
 *
 * @returns undefined for the base image.
 * @throws {WireError} `invalid_request` when it is both an image and a
 * snapshot, and what {@link ImageBuilds} and {@link Snapshots} throw.
 */
export type OpenImage = (
  orgId: string,
  request: Pick<CreateSandboxRequest, "image" | "snapshot">,
  follower: ImageFollower,
) => Promise<ImageOrigin | undefined>;

export function createOpenImage(deps: {
  imageBuilds: ImageBuilds;
  snapshots: Snapshots;
}): OpenImage {
  return async (orgId, { image, snapshot }, follower) => {
    if (image && snapshot) {
      throw new WireError(
        "invalid_request",
        "snapshot: a sandbox starts from an image or a snapshot, found both: leave one out",
      );
    }
    if (image) return deps.imageBuilds.obtain(orgId, image, follower);
    if (snapshot) return deps.snapshots.open(orgId, snapshot, follower);
    return undefined;
  };
}
