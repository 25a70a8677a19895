import { execFile } from "node:child_process";
import { chmod, copyFile, glob, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { Sandbox } from "@opencomputer/sdk";

const run = promisify(execFile);
/** Where the programs are in a sandbox. */
export const programDirectory = "/opt/host-programs";
/** What ldd(1) prints of a library, and of the loader. */
const libraryLine = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm;

/**
 * Copies programs of this host into a sandbox, with their libraries and the loader of these, so
 * that they run whatever the sandbox has. Each is then a script of its name in {@link programDirectory}.
 */
export async function copyHostPrograms(sandbox: Sandbox, paths: readonly string[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-programs-"));
  try {
    await chmod(directory, 0o755);
    await mkdir(join(directory, "lib"));
    for (const path of paths) {
      const { stdout } = await run("ldd", [path]);
      const libraries = [...stdout.matchAll(libraryLine)].map(([, library = ""]) => library);
      const loader = libraries.find((library) => basename(library).startsWith("ld-linux"));
      if (loader === undefined) throw new Error(`${path} has no loader:\n${stdout}`);
      const name = basename(path);
      for (const file of [path, ...libraries]) {
        await copyFile(file, join(directory, "lib", basename(file)));
      }
      const lib = `${programDirectory}/lib`;
      await writeFile(
        join(directory, name),
        `#!/bin/sh\nexec ${lib}/${basename(loader)} --library-path ${lib} ${lib}/${name} "$@"\n`,
      );
      await chmod(join(directory, name), 0o755);
    }
    const { stdout } = await run("tar", ["-C", directory, "-cz", "."], {
      encoding: "buffer",
      maxBuffer: 256 * 1024 * 1024,
    });
    await sandbox.files.write("/tmp/programs.tar.gz", stdout);
    const unpack = `sudo mkdir -p ${programDirectory} && sudo tar -C ${programDirectory} -xzf /tmp/programs.tar.gz`;
    const { exitCode, stderr } = await sandbox.exec.run(unpack, { timeout: 120 });
    if (exitCode !== 0) throw new Error(stderr);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The path of psql(1) itself: Debian's in the path is a script that chooses a version. */
export async function findPsql(): Promise<string> {
  for await (const path of glob("/usr/lib/postgresql/*/bin/psql")) return path;
  throw new Error("The host has no psql: is postgresql installed?");
}
