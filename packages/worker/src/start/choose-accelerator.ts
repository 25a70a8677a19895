import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Image } from "../disks/import-image.ts";
import { setAside } from "../files/durable-files.ts";
import { type RecordKind, readRecord, writeRecord } from "../files/record-kind.ts";
import { type BootParts, bootMachine } from "../machines/boot-machine.ts";
import { type Accelerator, newMachineShape } from "../vm/machine-shape.ts";
import { probeDirectoryName } from "../vm/machine-start.ts";

const resultSchema = z.object({ host: z.string(), kvmWorks: z.boolean(), reason: z.string() });
type ProbeResult = z.infer<typeof resultSchema>;
const resultKind: RecordKind<typeof resultSchema> = { schema: resultSchema, migrations: [] };

/** KVM boots the image in two seconds; where KVM hangs, the guest never responds. */
const bootTimeoutSeconds = 12;

export type AcceleratorSetting = "auto" | "kvm" | "tcg";

interface ProbeOptions {
  setting: AcceleratorSetting;
  /** Names what the result of the probe depends on: it is kept for this host. */
  host: string;
  /** Features of the host's processor. */
  processorFlags: ReadonlySet<string>;
  image: Image;
  goldenDirectory: string;
  /** Where the result is kept. */
  resultPath: string;
  log: { error(details: object, message: string): void };
}

/**
 * Chooses between hardware virtualisation and software emulation. A guest is
 * really booted, since `/dev/kvm` may exist where its guests hang.
 *
 * @throws {Error} when the setting is `kvm` and it does not work.
 */
export async function chooseAccelerator(
  boot: BootParts,
  options: ProbeOptions,
): Promise<Accelerator> {
  const { setting, host, resultPath } = options;
  if (setting === "tcg") return "tcg";
  const known = await readResult(resultPath, options.log);
  const result = known?.host === host ? known : await probe(boot, options);
  if (result !== known) await writeRecord(resultPath, resultKind, result);
  if (result.kvmWorks) return "kvm";
  if (setting === "auto") return "tcg";
  throw new Error(
    `KVM does not work on this host (${result.reason}): set OPENCOMPUTER_ACCEL to auto or tcg, or delete ${resultPath} to try again`,
  );
}

/** Sets a record aside that cannot be read; KVM is then tested again. */
async function readResult(
  path: string,
  log: ProbeOptions["log"],
): Promise<ProbeResult | undefined> {
  try {
    return await readRecord(path, resultKind);
  } catch (error) {
    const aside = await setAside(path);
    log.error({ aside, err: error }, "The result of the KVM test cannot be read; it is made again");
    return undefined;
  }
}

async function probe(boot: BootParts, options: ProbeOptions): Promise<ProbeResult> {
  const { host, image } = options;
  const directory = join(options.goldenDirectory, probeDirectoryName);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  try {
    const machine = await bootMachine(boot, {
      image,
      shape: newMachineShape("kvm", 512, options.processorFlags),
      diskPath: join(directory, "disk.qcow2"),
      directory,
    });
    try {
      await machine.agent.waitUntilHealthy(bootTimeoutSeconds);
    } finally {
      await machine.discard();
    }
    return { host, kvmWorks: true, reason: "a guest booted" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { host, kvmWorks: false, reason };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
