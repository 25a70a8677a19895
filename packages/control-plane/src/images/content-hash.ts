import { createHash } from "node:crypto";
import type { ImageManifest } from "@opencomputer/protocol";

/**
 * The cache key of an image: the SHA-256, hexadecimal, of the JSON of its base
 * and steps. A parsed manifest has its fields in the order of their schema, so
 * the order in which a client sent them does not count.
 */
export function imageContentHash({ base, steps }: ImageManifest): string {
  return createHash("sha256").update(JSON.stringify({ base, steps }), "utf8").digest("hex");
}
