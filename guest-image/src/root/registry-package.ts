import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { runProgram } from "../run-program.ts";

/** A package of the npm registry, pinned by the SHA-512 of its archive (Subresource Integrity). */
export interface RegistryPackage {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

const packedSchema = z.array(z.object({ filename: z.string() })).length(1);

/**
 * Fetches a package with the host's npm, checks it against the pinned digest and
 * unpacks it into `directory`. `excluded` are paths inside the package.
 *
 * @throws {Error} when the digest differs.
 */
export async function unpackRegistryPackage(
  { name, version, integrity }: RegistryPackage,
  options: { directory: string; temporaryDirectory: string; excluded: readonly string[] },
): Promise<void> {
  const output = await runProgram([
    "npm",
    "pack",
    "--json",
    "--loglevel=error",
    `--pack-destination=${options.temporaryDirectory}`,
    `${name}@${version}`,
  ]);
  const [packed] = packedSchema.parse(JSON.parse(output));
  const archive = join(options.temporaryDirectory, packed?.filename ?? "");
  const digest = createHash("sha512")
    .update(await readFile(archive))
    .digest("base64");
  if (`sha512-${digest}` !== integrity) {
    throw new Error(`${name}@${version} has the digest sha512-${digest}, expected ${integrity}`);
  }
  await mkdir(options.directory, { recursive: true });
  await runProgram([
    "tar",
    "--extract",
    `--file=${archive}`,
    `--directory=${options.directory}`,
    "--strip-components=1",
    "--no-same-owner",
    ...options.excluded.map((path) => `--exclude=package/${path}`),
  ]);
}
