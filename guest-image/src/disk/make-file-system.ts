import { rm, truncate, writeFile } from "node:fs/promises";
import { runProgram } from "../run-program.ts";

/** The default disk size of a sandbox. On the host it occupies only what is written to it. */
const diskBytes = 20 * 1024 ** 3;
const label = "opencomputer";

/**
 * Makes the sparse image of an ext4 file system with the content of `root`.
 * Its tables are complete, so a guest never writes to them in the background.
 */
export async function makeFileSystem(options: { root: string; outputPath: string }): Promise<void> {
  await rm(options.outputPath, { force: true });
  await writeFile(options.outputPath, "");
  await truncate(options.outputPath, diskBytes);
  await runProgram(
    [
      "mke2fs",
      "-q",
      "-F",
      "-t",
      "ext4",
      "-L",
      label,
      "-m",
      "0",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0",
      // Growing the mounted file system needs transactions that a smaller journal cannot hold.
      "-J",
      "size=64",
      "-d",
      options.root,
      options.outputPath,
    ],
    { environment: { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` } },
  );
  await runProgram(["fallocate", "--dig-holes", options.outputPath]);
}
