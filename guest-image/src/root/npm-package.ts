import { createHash } from "node:crypto";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { runProgram } from "../run-program.ts";

/**
 * npm for the guest. Debian's package of it brings hundreds of others; the
 * registry's is whole in itself. Version 10 is the last for Debian's Node 18.
 */
export const npmRelease = {
  version: "10.9.9",
  integrity:
    "sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==",
} as const;

const packedSchema = z.array(z.object({ filename: z.string() })).length(1);

/** Fetches npm with the host's npm, checks it against the pinned digest, and installs it in `root`. */
export async function installNpm(options: {
  root: string;
  temporaryDirectory: string;
}): Promise<void> {
  const name = `npm@${npmRelease.version}`;
  const answer = await runProgram([
    "npm",
    "pack",
    "--json",
    "--loglevel=error",
    `--pack-destination=${options.temporaryDirectory}`,
    name,
  ]);
  const [packed] = packedSchema.parse(JSON.parse(answer));
  const archive = join(options.temporaryDirectory, packed?.filename ?? "");
  const digest = createHash("sha512")
    .update(await readFile(archive))
    .digest("base64");
  if (`sha512-${digest}` !== npmRelease.integrity) {
    throw new Error(`${name} has the digest sha512-${digest}, expected ${npmRelease.integrity}`);
  }
  const directory = join(options.root, "usr/local/lib/node_modules/npm");
  await mkdir(directory, { recursive: true });
  await runProgram([
    "tar",
    "--extract",
    `--file=${archive}`,
    `--directory=${directory}`,
    "--strip-components=1",
    "--no-same-owner",
    "--exclude=package/docs",
    "--exclude=package/man",
  ]);
  for (const program of ["npm", "npx"]) {
    await symlink(
      `../lib/node_modules/npm/bin/${program}-cli.js`,
      join(options.root, "usr/local/bin", program),
    );
  }
}
