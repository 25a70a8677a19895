import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestLayout } from "@opencomputer/protocol";
import { runProgram } from "../run-program.ts";
import { preferKernelGenerator } from "./openssl-configuration.ts";

/** Sources that are no TypeScript lie beside the sources, also when the compiled build runs. */
const sources = fileURLToPath(new URL("../../src/randomness", import.meta.url));
const providerPath = "/usr/lib/x86_64-linux-gnu/ossl-modules/opencomputer.so";
const sitePath = "etc/python3.11/sitecustomize.py";
/** By this path Python finds it. */
const sitecustomizePath = "/usr/lib/python3.11/sitecustomize.py";

/**
 * Has the runtimes of the image draw other numbers in each machine that is restored
 * from one memory: OpenSSL by a provider without state, Node.js by a module that it
 * loads first, Python by a signal. What is in C is compiled with the image's own
 * compiler and Node's headers.
 */
export async function installRandomness(root: string): Promise<void> {
  const directory = dirname(guestLayout.renewNode);
  await mkdir(join(root, directory), { recursive: true });
  await compile(root, "kernel-generator.c", providerPath);
  await compile(root, "generation-addon.c", `${directory}/generation.node`);
  await copyFile(join(sources, "renew-node.cjs"), join(root, guestLayout.renewNode));
  const configurationPath = join(root, "etc/ssl/openssl.cnf");
  const configuration = await readFile(configurationPath, "utf8");
  await writeFile(configurationPath, preferKernelGenerator(configuration, providerPath));
  const site = await readFile(join(root, sitePath), "utf8");
  await writeFile(
    join(root, sitePath),
    site + (await readFile(join(sources, "renew-python.py"), "utf8")),
  );
  // Only root could keep the compiled form: else each start of Python would compile it.
  await runProgram(["chroot", root, "python3", "-m", "py_compile", sitecustomizePath]);
}

async function compile(root: string, source: string, outputPath: string): Promise<void> {
  const copy = join(root, "tmp", source);
  await copyFile(join(sources, source), copy);
  await runProgram([
    ...(["chroot", root, "gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"] as const),
    ...["-Werror", "-shared", "-fPIC", "-I/usr/local/include/node", "-o", outputPath],
    `/tmp/${source}`,
  ]);
  await runProgram(["rm", copy]);
}
