import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAgent } from "./agent/build-agent.ts";
import { makeFileSystem } from "./disk/make-file-system.ts";
import { type ImageManifest, publishImage, readBuiltImage } from "./image/built-image.ts";
import { computeFingerprint } from "./image/fingerprint.ts";
import { storeCachedImage, takeCachedImage } from "./image/image-cache.ts";
import { kernelCommandLine } from "./image/kernel-command-line.ts";
import { openPartialDirectory } from "./image/partial-directory.ts";
import { makeInitramfs } from "./kernel/make-initramfs.ts";
import { takeKernel } from "./kernel/take-kernel.ts";
import { installRandomness } from "./randomness/install-randomness.ts";
import { bootstrapRoot } from "./root/bootstrap-root.ts";
import { customizeRoot } from "./root/customize-root.ts";
import { installNodeRuntime } from "./root/node-runtime.ts";
import { installTrust } from "./trust/install-trust.ts";

const agentDirectory = fileURLToPath(new URL("../../guest-agent", import.meta.url));
const buildDirectory = fileURLToPath(new URL("../src", import.meta.url));

export interface BuildOptions {
  /** Where `kernel`, `initramfs`, `base.raw` and `image.json` go. */
  outputDirectory: string;
  /** Shares images between the checkouts on this machine, by fingerprint; no cache when absent. */
  cacheDirectory?: string;
  /** Called with a line that describes the current step. */
  onProgress: (line: string) => void;
}

/**
 * Builds the guest image unless the one in `outputDirectory` was made from
 * the same sources. An incomplete build has no `image.json`, so it is never
 * taken for an image.
 *
 * @throws {Error} naming the program or the check that failed.
 */
export async function buildGuestImage(
  options: BuildOptions,
): Promise<{ manifest: ImageManifest; origin: "present" | "cache" | "built" }> {
  const { outputDirectory, cacheDirectory } = options;
  const fingerprint = await computeFingerprint({ agentDirectory, buildDirectory });
  const existing = await readBuiltImage(outputDirectory);
  if (existing?.fingerprint === fingerprint) return { manifest: existing, origin: "present" };
  if (process.getuid?.() !== 0) {
    throw new Error(
      "Building the guest image needs root, to set the owners of its files: use sudo",
    );
  }
  const partial = await openPartialDirectory(outputDirectory);
  try {
    if (cacheDirectory !== undefined) {
      options.onProgress("looking into the cache");
      const manifest = await takeCachedImage(cacheDirectory, fingerprint, partial);
      if (manifest !== undefined) {
        await publishImage(partial, outputDirectory);
        return { manifest, origin: "cache" };
      }
    }
    const manifest = await buildParts({ partial, fingerprint, onProgress: options.onProgress });
    await publishImage(partial, outputDirectory);
    if (cacheDirectory !== undefined) {
      await storeCachedImage(cacheDirectory, fingerprint, outputDirectory);
    }
    return { manifest, origin: "built" };
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
  await installTrust(root);
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
  onProgress("disk: creating the ext4 file system");
  await makeFileSystem({ root, outputPath: join(partial, "base.raw") });
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

async function describePart(path: string): Promise<{ sizeBytes: number }> {
  return { sizeBytes: (await stat(path)).size };
}
