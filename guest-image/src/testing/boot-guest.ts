import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { agentPort } from "@opencomputer/protocol/api";
import { agentHealthSchema, guestNetwork } from "@opencomputer/protocol/wire";
import { readBuiltImage } from "../image/built-image.ts";
import { runProgram } from "../run-program.ts";
import { findFreePort } from "./free-port.ts";

/** A running guest, with its agent at `url`. */
export interface RunningGuest {
  url: string;
  version: string;
  stop(): Promise<void>;
}

const bootTimeoutSeconds = 180;

/**
 * Boots the image of a directory on a disk that is thrown away, in a software
 * emulated machine with two processors, 1024 MB and a network of QEMU's own.
 */
export async function bootGuest(imageDirectory: string): Promise<RunningGuest> {
  const manifest = await readBuiltImage(imageDirectory);
  if (manifest === undefined) {
    throw new Error(`${imageDirectory} holds no image: run node guest-image/dist/main.js`);
  }
  const directory = await mkdtemp(join(tmpdir(), "guest-"));
  const disk = join(directory, "disk.qcow2");
  const console = join(directory, "console.log");
  const base = join(imageDirectory, "base.raw");
  await runProgram(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, disk]);
  const port = await findFreePort();
  const { guestAddress, gatewayAddress, prefixLength, guestMacAddress } = guestNetwork;
  const network = [
    "user,id=net0",
    `net=169.254.0.0/${prefixLength}`,
    `host=${gatewayAddress}`,
    `dhcpstart=${guestAddress}`,
    `hostfwd=tcp:127.0.0.1:${port}-${guestAddress}:${agentPort}`,
  ].join(",");
  const qemu = spawn(
    "qemu-system-x86_64",
    [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...[
        "-machine",
        "q35",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "1024",
      ],
      ...["-kernel", join(imageDirectory, "kernel"), "-initrd", join(imageDirectory, "initramfs")],
      ...["-append", manifest.kernelCommandLine],
      ...["-drive", `file=${disk},if=none,id=disk0`, "-device", "virtio-blk-pci,drive=disk0"],
      ...["-netdev", network],
      ...["-device", `virtio-net-pci,netdev=net0,mac=${guestMacAddress},romfile=`],
      ...["-serial", `file:${console}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const exited = once(qemu, "exit");
  const stop = async (): Promise<void> => {
    qemu.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    return { url, version: await waitForAgent(url), stop };
  } catch (error) {
    const printed = await readFile(console, "utf8");
    await stop();
    throw new Error(`The guest did not come up; its console ends:\n${printed.slice(-2000)}`, {
      cause: error,
    });
  }
}

async function waitForAgent(url: string): Promise<string> {
  const deadline = performance.now() + bootTimeoutSeconds * 1000;
  for (;;) {
    try {
      const response = await fetch(`${url}/v1/health`, { signal: AbortSignal.timeout(5000) });
      return agentHealthSchema.parse(await response.json()).version;
    } catch (error) {
      // Every call fails until the agent listens.
      if (performance.now() > deadline) throw error;
      await delay(200);
    }
  }
}
