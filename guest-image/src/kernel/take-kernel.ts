import { copyFile, cp, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";

/** Modules for hardware that the virtual machine does not have. */
const leftOut = [
  "drivers/comedi",
  "drivers/gpu",
  "drivers/hid",
  "drivers/infiniband",
  "drivers/media",
  "drivers/net/ethernet",
  "drivers/scsi",
  "drivers/target",
  "drivers/xen",
];

/**
 * Unpacks Debian's kernel package: the kernel goes to `kernelPath`, its
 * modules into `root`. Returns its version.
 */
export async function takeKernel(options: {
  kernelPackage: string;
  temporaryDirectory: string;
  kernelPath: string;
  root: string;
}): Promise<{ version: string; modulesDirectory: string }> {
  const unpacked = join(options.temporaryDirectory, "kernel-package");
  await runProgram(["dpkg-deb", "--extract", options.kernelPackage, unpacked]);
  const versions = await readdir(join(unpacked, "lib/modules"));
  const version = versions[0];
  if (version === undefined || versions.length > 1) {
    throw new Error(
      `${options.kernelPackage} has modules of ${versions.length} kernels, expected 1`,
    );
  }
  await copyFile(join(unpacked, "boot", `vmlinuz-${version}`), options.kernelPath);
  const source = join(unpacked, "lib/modules", version);
  const destination = join(options.root, "usr/lib/modules", version);
  await mkdir(destination, { recursive: true });
  const left = new Set(leftOut.map((path) => join(source, "kernel", path)));
  await cp(source, destination, { recursive: true, filter: (path) => !left.has(path) });
  await runProgram(["depmod", `--basedir=${join(options.root, "usr")}`, version]);
  return { version, modulesDirectory: source };
}
