import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";
import { findAptOptions, findSources, formatSources, guestRelease } from "./apt-sources.ts";
import { excludedPaths, packages } from "./packages.ts";

/** A Debian root, and packages that were fetched but not installed. */
export interface BootstrappedRoot {
  root: string;
  kernelPackage: string;
  busyboxPackage: string;
}

/**
 * Runs in mmdebstrap while the root still has its package lists: it fetches the
 * kernel package that the metapackage depends on, and a static busybox.
 */
const fetchScript = `#!/bin/sh
set -eu
cd "$(dirname "$0")"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
kernel=$(apt-cache show --no-all-versions linux-image-cloud-amd64 |
  sed -n 's/^Depends: \\(linux-image-[^ ,]*\\).*/\\1/p')
test -n "$kernel"
apt-get download "$kernel" busybox-static
`;

/** Creates a Debian root in `directory`, with the packages that sandboxes have. */
export async function bootstrapRoot(
  directory: string,
  onLine: (line: string) => void,
): Promise<BootstrappedRoot> {
  const root = join(directory, "root");
  const fetched = join(directory, "fetched");
  await mkdir(fetched, { recursive: true });
  const sourcesPath = join(directory, "build.sources");
  await writeFile(sourcesPath, formatSources(await findSources()));
  const scriptPath = join(fetched, "fetch.sh");
  await writeFile(scriptPath, fetchScript);
  await chmod(scriptPath, 0o755);
  const aptOptions = await findAptOptions();
  await runProgram(
    [
      "mmdebstrap",
      "--mode=root",
      "--variant=minbase",
      "--architectures=amd64",
      "--format=directory",
      `--include=${packages.join(",")}`,
      ...aptOptions.map((option) => `--aptopt=${option}`),
      ...excludedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
      `--customize-hook=${scriptPath}`,
      guestRelease,
      root,
      sourcesPath,
    ],
    { onLine },
  );
  const names = await readdir(fetched);
  return {
    root,
    kernelPackage: join(fetched, requirePackage(names, "linux-image-")),
    busyboxPackage: join(fetched, requirePackage(names, "busybox-static_")),
  };
}

function requirePackage(names: readonly string[], prefix: string): string {
  const name = names.find((candidate) => candidate.startsWith(prefix));
  if (name === undefined)
    throw new Error(`apt fetched no package ${prefix}…: got ${names.join(" ")}`);
  return name;
}
