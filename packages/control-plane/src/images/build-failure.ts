import { WireError } from "@opencomputer/protocol";

/**
 * What is told of a build that failed after it had begun. Clients answer 502
 * and 503 by sending the request again, so it is neither.
 */
export function asBuildFailure(error: unknown, what: string): unknown {
  if (!(error instanceof WireError)) return error;
  if (error.code === "image_build_failed" || error.code === "host_storage_full") return error;
  return new WireError("image_build_failed", `${what} failed: ${error.message}`, { cause: error });
}
