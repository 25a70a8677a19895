import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";

const sitePath = "etc/python3.11/sitecustomize.py";
/** The path at which Python finds it. */
const sitecustomizePath = "/usr/lib/python3.11/sitecustomize.py";

/** Adds a text to what each Python of the image, and of virtual environments made of it, runs first. */
export async function extendSitecustomize(root: string, addition: string): Promise<void> {
  const path = join(root, sitePath);
  await writeFile(path, (await readFile(path, "utf8")) + addition);
  // Only root can write the compiled form: without it, each start of Python would compile the module.
  await runProgram(["chroot", root, "python3", "-m", "py_compile", sitecustomizePath]);
}
