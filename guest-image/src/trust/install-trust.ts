import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestLayout } from "@opencomputer/protocol/wire";
import { compileLibrary } from "../root/compile-library.ts";
import { extendSitecustomize } from "../root/extend-sitecustomize.ts";
import { trustVariables } from "../root/guest-environment.ts";
import { runProgram } from "../run-program.ts";
import { formatInitializers } from "./format-initializers.ts";

/** Other sources than TypeScript are only in `src`, also when the compiled build runs. */
const sources = fileURLToPath(new URL("../../src/trust", import.meta.url));

/**
 * AddressSanitizer ends a program that has another library before its own, unless
 * that library's name has this in it.
 */
const libraryName = "opencomputer-trust-before-libasan.so";

/** One page of code and one of data: nothing that makes the start of a program longer. */
const smallLibrary = [
  ...["-nostartfiles", "-Wl,--no-as-needed", "-Wl,-z,noseparate-code", "-Wl,-z,norelro"],
  ...["-Wl,--hash-style=gnu", "-Wl,--build-id=none", "-s"],
];

/**
 * Makes every program of the image that is linked dynamically have the trust variables, whatever
 * environment it is started with, and Python trust the system's authorities where a package
 * brings its own.
 */
export async function installTrust(root: string): Promise<void> {
  await compileLibraries(root);
  await writeFile(join(root, "etc/ld.so.preload"), `/usr/$LIB/${libraryName}\n`);
  const text = await readFile(join(sources, "trust-certifi.py"), "utf8");
  await extendSitecustomize(root, text.replaceAll("@trustBundle@", guestLayout.trustBundle));
}

/**
 * The dynamic linker replaces `$LIB` by the directory of the program's word size. Programs of 32
 * bits have a library of their own: without it, it would complain on each start of one.
 */
async function compileLibraries(root: string): Promise<void> {
  const compile = (directory: string, flags: readonly string[]) =>
    compileLibrary(root, {
      sourcePath: join(sources, "trust-defaults.c"),
      outputPath: `${directory}/${libraryName}`,
      flags: [...smallLibrary, ...flags],
      included: { "trust-variables.inc": formatInitializers(trustVariables()) },
    });
  await compile("/usr/lib/x86_64-linux-gnu", []);
  const standIn = "/tmp/libc-32.so";
  await makeStandIn(root, standIn);
  // The directories of Debian's packages libc6:i386 and libc6-i386.
  for (const directory of ["/usr/lib/i386-linux-gnu", "/usr/lib32"]) {
    await compile(directory, ["-m32", "-nostdlib", standIn]);
  }
  await rm(join(root, standIn));
}

/**
 * Makes an empty library with the name of the C library of 32 bits, which the image does not have:
 * a library that is linked with it is initialized after the real one.
 */
async function makeStandIn(root: string, path: string): Promise<void> {
  await runProgram([
    ...(["chroot", root, "gcc", "-m32", "-shared", "-nostdlib", "-Wl,-soname,libc.so.6"] as const),
    ...["-o", path, "-x", "c", "/dev/null"],
  ]);
}
