import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestLayout } from "@opencomputer/protocol/wire";
import { compileLibrary } from "../root/compile-library.ts";
import { extendSitecustomize } from "../root/extend-sitecustomize.ts";
import { preferKernelGenerator } from "./openssl-configuration.ts";

/** Other sources than TypeScript are only in `src`, also when the compiled build runs. */
const sources = fileURLToPath(new URL("../../src/randomness", import.meta.url));
const providerPath = "/usr/lib/x86_64-linux-gnu/ossl-modules/opencomputer.so";

/**
 * Makes the runtimes of the image draw different random numbers in each machine that is
 * restored from one memory: OpenSSL by a provider without state, Node.js by a module that
 * it loads first, Python by a signal. C sources are compiled with the image's compiler
 * and Node's headers.
 */
export async function installRandomness(root: string): Promise<void> {
  const directory = dirname(guestLayout.renewNode);
  await mkdir(join(root, directory), { recursive: true });
  for (const [source, outputPath] of [
    ["kernel-generator.c", providerPath],
    ["generation-addon.c", `${directory}/generation.node`],
  ] as const) {
    const sourcePath = join(sources, source);
    await compileLibrary(root, { sourcePath, outputPath, flags: ["-I/usr/local/include/node"] });
  }
  await copyFile(join(sources, "renew-node.cjs"), join(root, guestLayout.renewNode));
  const configurationPath = join(root, "etc/ssl/openssl.cnf");
  const configuration = await readFile(configurationPath, "utf8");
  await writeFile(configurationPath, preferKernelGenerator(configuration, providerPath));
  await extendSitecustomize(root, await readFile(join(sources, "renew-python.py"), "utf8"));
}
