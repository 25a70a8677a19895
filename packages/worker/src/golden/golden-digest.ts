import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * Names a snapshot by what was baked: each bake writes a guest of its own, so
 * equal inputs give other bytes. Of the lengths and contents of the files, in
 * their order; 32 hexadecimal digits.
 */
export async function goldenDigest(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(`${(await stat(path)).size}\n`);
    for await (const bytes of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      hash.update(bytes);
    }
  }
  return hash.digest("hex").slice(0, 32);
}
