import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { BackupPart } from "./backup-manifest.ts";

const compression = "--use-compress-program=zstd -1 -T0";
const errorCharactersKept = 2_000;

/** Writes the output of a program to a file, and returns its size and digest. */
export async function writeOutput(
  program: string,
  parameters: string[],
  file: string,
): Promise<Pick<BackupPart, "bytes" | "sha256">> {
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  const hash = createHash("sha256");
  const through = new PassThrough().on("data", (chunk) => hash.update(chunk));
  await Promise.all([
    untilDone(child, program),
    pipeline(child.stdout, through, createWriteStream(file, { mode: 0o600, flags: "wx" })),
  ]);
  return { bytes: (await stat(file)).size, sha256: hash.digest("hex") };
}

/** Archives a path of a directory; holes of sparse files take no space. */
export function writeArchive(root: string, path: string, file: string) {
  const options = ["--create", "--sparse", "--numeric-owner", compression];
  return writeOutput("tar", [...options, `--directory=${root}`, path], file);
}

/** Extracts an archive. The files become root's, since user ids differ between hosts. */
export async function extractArchive(file: string, root: string): Promise<void> {
  const options = ["--extract", "--sparse", "--no-same-owner", compression];
  const parameters = [...options, `--directory=${root}`, `--file=${file}`];
  await untilDone(spawn("tar", parameters, { stdio: ["ignore", "ignore", "pipe"] }), "tar");
}

/**
 * Compares a file of a backup with its digest in the manifest.
 *
 * @throws when they differ.
 */
export async function assertIntact(directory: string, part: BackupPart): Promise<void> {
  const path = join(directory, part.file);
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  if (hash.digest("hex") === part.sha256) return;
  throw new Error(`${path} is damaged: its SHA-256 is not ${part.sha256}. Nothing was restored.`);
}

async function untilDone(child: ChildProcess, program: string): Promise<void> {
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-errorCharactersKept);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...ending) => resolve(ending));
  });
  if (code === 0) return;
  throw new Error(`${program} ended with ${signal ?? `exit code ${code}`}: ${errors.trim()}`);
}
