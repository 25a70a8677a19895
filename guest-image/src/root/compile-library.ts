import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runProgram } from "../run-program.ts";

/** Where the sources are while they are compiled, in the root. */
const compileDirectory = "/tmp/opencomputer-compile";

/**
 * Compiles a C source into a shared library of the root, with the root's own compiler. `outputPath`
 * is a path in the root; `included` has the text of generated files by their names.
 */
export async function compileLibrary(
  root: string,
  options: {
    sourcePath: string;
    outputPath: string;
    flags?: readonly string[];
    included?: Record<string, string>;
  },
): Promise<void> {
  const { sourcePath, outputPath, flags = [], included = {} } = options;
  const directory = join(root, compileDirectory);
  await mkdir(directory, { recursive: true });
  await mkdir(dirname(join(root, outputPath)), { recursive: true });
  try {
    await copyFile(sourcePath, join(directory, basename(sourcePath)));
    for (const [name, text] of Object.entries(included)) {
      await writeFile(join(directory, name), text);
    }
    await runProgram([
      ...(["chroot", root, "gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"] as const),
      ...["-Werror", "-shared", "-fPIC", "-o", outputPath],
      `${compileDirectory}/${basename(sourcePath)}`,
      ...flags,
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
}
