import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { buildAgent } from "./agent/build-agent.ts";
import { makeFileSystem } from "./disk/make-file-system.ts";
import { readBuiltImage } from "./image/built-image.ts";
import { computeFingerprint } from "./image/fingerprint.ts";
import type { ImageManifest } from "./image/image-manifest.ts";
import { kernelCommandLine } from "./image/kernel-command-line.ts";
import { openPartialDirectory } from "./image/partial-directory.ts";
import { publishImage } from "./image/publish-image.ts";
import { makeInitramfs } from "./kernel/make-initramfs.ts";
import { takeKernel } from "./kernel/take-kernel.ts";
import { installRandomness } from "./randomness/install-randomness.ts";
import { bootstrapRoot } from "./root/bootstrap-root.ts";
import { customizeRoot } from "./root/customize-root.ts";
import { installNodeRuntime } from "./root/node-runtime.ts";

const agentDirectory = fileURLToPath(new URL("../../guest-agent", import.meta.url));
const buildDirectory = fileURLToPath(new URL("../src", import.meta.url));

export interface BuildOptions {
  /** Where `kernel`, `initramfs`, `base.raw` and `image.json` go. */
  outputDirectory: string;
  /** Takes one line for people about what is being done. */
  onProgress: (line: string) => void;
}

/**
 * Builds the guest image unless the one in `outputDirectory` was made from
 * the same sources. A build that breaks off leaves no `image.json`, so what
 * it left is never taken for an image.
 *
 * @throws {Error} naming the program or the check that failed.
 */
export async function buildGuestImage(
  options: BuildOptions,
): Promise<{ manifest: ImageManifest; built: boolean }> {
  const { outputDirectory } = options;
  const fingerprint = await computeFingerprint({ agentDirectory, buildDirectory });
  const existing = await readBuiltImage(outputDirectory);
  if (existing?.fingerprint === fingerprint) return { manifest: existing, built: false };
  if (process.getuid?.() !== 0) {
    throw new Error("Building the guest image needs root, for the owners of its files: use sudo");
  }
  const partial = await openPartialDirectory(outputDirectory);
  try {
    const manifest = await buildParts({ partial, fingerprint, onProgress: options.onProgress });
    await publishImage(partial, outputDirectory);
    return { manifest, built: true };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function buildParts(options: {
  partial: string;
  fingerprint: string;
  onProgress: (line: string) => void;
}): Promise<ImageManifest> {
  const { partial, fingerprint, onProgress } = options;
  onProgress("guest agent: compiling");
  const agent = join(partial, "agent");
  await buildAgent({
    sourceDirectory: agentDirectory,
    outputPath: agent,
    version: fingerprint.slice(0, 12),
  });
  onProgress("root file system: installing Debian packages (about a minute)");
  const { root, kernelPackage, busyboxPackage } = await bootstrapRoot(partial, (line) => {
    if (line.startsWith("I: ")) onProgress(`root file system: ${line.slice(3)}`);
  });
  onProgress("root file system: Node.js, user and settings");
  await installNodeRuntime({ root, temporaryDirectory: partial });
  await installRandomness(root);
  await customizeRoot({ root, agent });
  onProgress("kernel and initramfs");
  const kernel = await takeKernel({
    kernelPackage,
    temporaryDirectory: partial,
    kernelPath: join(partial, "kernel"),
    root,
  });
  await makeInitramfs({
    busyboxPackage,
    modulesDirectory: kernel.modulesDirectory,
    temporaryDirectory: partial,
    outputPath: join(partial, "initramfs"),
  });
  onProgress("disk: making the ext4 file system");
  await makeFileSystem({ root, outputPath: join(partial, "base.raw") });
  onProgress("disk: measuring");
  const manifest: ImageManifest = {
    fingerprint,
    kernelVersion: kernel.version,
    kernelCommandLine,
    builtAt: new Date().toISOString(),
    parts: {
      kernel: await describePart(join(partial, "kernel")),
      initramfs: await describePart(join(partial, "initramfs")),
      "base.raw": await describePart(join(partial, "base.raw")),
    },
  };
  await writeFile(join(partial, "image.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function describePart(path: string): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return { sizeBytes: (await stat(path)).size, sha256: hash.digest("hex") };
}
