import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { guestLayout } from "@opencomputer/protocol/wire";
import type { Layers } from "../disks/create-layers.ts";
import type { Image } from "../disks/import-image.ts";
import { renameDurably, syncDirectoryFiles } from "../files/durable-files.ts";
import { writeRecord } from "../files/record-kind.ts";
import type { AgentClient } from "../guest/agent-client.ts";
import { type BootParts, bootMachine } from "../machines/boot-machine.ts";
import type { MachineShape } from "../vm/machine-shape.ts";
import { goldenDigest } from "./golden-fingerprint.ts";
import {
  type GoldenSnapshot,
  goldenManifestKind,
  goldenPaths,
  openGolden,
} from "./golden-snapshot.ts";

const bootTimeoutSeconds = 180;
const setUpTimeoutSeconds = 300;

/** Run once as the user, so that the files of these programs are in the snapshot's memory. */
const warmUpScripts = [
  "true; ls -la / >/dev/null; id >/dev/null; env >/dev/null; cat /etc/os-release >/dev/null",
  "python3 -c 'import json, os, re, ssl, subprocess, urllib.request'",
  'node -e \'require("node:https"); require("node:crypto").randomBytes(8)\'',
  "curl --version >/dev/null; git --version >/dev/null; sudo -n true",
];

/**
 * Boots the image, makes its guest trust the installation's CA, warms it up
 * and saves it. A bake that does not finish leaves nothing that is taken for a
 * snapshot.
 */
export async function bakeGolden(
  boot: BootParts,
  options: {
    goldenDirectory: string;
    inputsFingerprint: string;
    image: Image;
    shape: MachineShape;
    certificatePem: string;
    machineFingerprint: string;
    makeEmptyLayer: Layers["makeEmpty"];
    onStage: (stage: string) => void;
  },
): Promise<GoldenSnapshot> {
  const { goldenDirectory, inputsFingerprint, image, shape, onStage } = options;
  const temporaryDirectory = join(goldenDirectory, `${inputsFingerprint}.new`);
  const paths = goldenPaths(temporaryDirectory);
  await rm(temporaryDirectory, { recursive: true, force: true });
  await mkdir(temporaryDirectory, { recursive: true });
  onStage("booting the guest image");
  const machine = await bootMachine(boot, {
    image,
    shape,
    diskPath: paths.diskPath,
    directory: temporaryDirectory,
  });
  try {
    await machine.agent.waitUntilHealthy(bootTimeoutSeconds);
    onStage("making the guest trust the installation");
    await installAuthority(machine.agent, options.certificatePem);
    onStage("warming up the guest");
    await warmUp(machine.agent);
    onStage("saving the golden snapshot");
    await machine.vm.pause();
    await machine.vm.save(paths);
  } finally {
    await machine.discard();
  }
  const fingerprint = await goldenDigest([paths.memoryPath, paths.statePath, paths.diskPath]);
  await options.makeEmptyLayer(paths.overlayPath, {
    goldenFingerprint: fingerprint,
    layers: [],
    sizeMB: image.diskMB,
  });
  await writeRecord(paths.manifestPath, goldenManifestKind, {
    inputsFingerprint,
    imageFingerprint: image.fingerprint,
    machineFingerprint: options.machineFingerprint,
    baseMemoryMB: shape.baseMemoryMB,
    diskMB: image.diskMB,
  });
  const directory = join(goldenDirectory, fingerprint);
  await syncDirectoryFiles(temporaryDirectory);
  await renameDurably(temporaryDirectory, directory);
  const golden = await openGolden(goldenDirectory, fingerprint);
  if (golden === undefined) throw new Error(`The golden snapshot ${directory} vanished`);
  return golden;
}

async function installAuthority(agent: AgentClient, certificatePem: string): Promise<void> {
  const { installationAuthority, trustProgram } = guestLayout;
  await agent.writeFile(installationAuthority, `${certificatePem.trim()}\n`);
  await runInGuest(
    agent,
    `set -e
chown root:root ${installationAuthority}
chmod 644 ${installationAuthority}
${trustProgram}`,
    true,
  );
}

async function warmUp(agent: AgentClient): Promise<void> {
  for (const script of warmUpScripts) await runInGuest(agent, script, false);
  await runInGuest(agent, "sync; fstrim / || true; sync", true);
}

async function runInGuest(agent: AgentClient, script: string, asRoot: boolean): Promise<void> {
  const result = await agent.run({
    command: ["/bin/bash", "-c", script],
    environment: {},
    workingDirectory: "/",
    timeoutMilliseconds: setUpTimeoutSeconds * 1000,
    outputBytesMax: 64 * 1024,
    asRoot,
  });
  if (result.exitCode === 0) return;
  throw new Error(
    `In the guest, ${JSON.stringify(script)} ended with ${result.exitCode}: ${result.stderr.slice(-1000)}`,
  );
}
