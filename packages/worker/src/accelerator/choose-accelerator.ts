import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type RecordKind, readRecord, writeRecord } from "../files/record-kind.ts";
import { setAside } from "../files/set-aside.ts";
import type { Image } from "../images/import-image.ts";
import type { BootMachine } from "../machines/boot-machine.ts";
import { type Accelerator, newMachineShape } from "../vm/machine-shape.ts";

const answerSchema = z.object({ host: z.string(), kvmWorks: z.boolean(), reason: z.string() });
type Answer = z.infer<typeof answerSchema>;
const answerKind: RecordKind<typeof answerSchema> = { schema: answerSchema, migrations: [] };

/** KVM boots the image in two seconds; a host whose KVM hangs shows it by silence. */
const bootTimeoutSeconds = 12;

/**
 * Decides between hardware virtualisation and software emulation. `/dev/kvm`
 * may be there and its guests hang, so a guest is really booted. The answer is
 * remembered for `host`, which names what it depends on.
 *
 * @throws {Error} when `kvm` is asked for and does not work.
 */
export async function chooseAccelerator(options: {
  setting: "auto" | "kvm" | "tcg";
  host: string;
  image: Image;
  bootMachine: BootMachine;
  workDirectory: string;
  answerPath: string;
  log: { error(details: object, message: string): void };
}): Promise<Accelerator> {
  const { setting, host, answerPath } = options;
  if (setting === "tcg") return "tcg";
  const known = await readAnswer(answerPath, options.log);
  const answer = known?.host === host ? known : await probe(options);
  if (answer !== known) await writeRecord(answerPath, answerKind, answer);
  if (answer.kvmWorks) return "kvm";
  if (setting === "auto") return "tcg";
  throw new Error(
    `KVM does not work on this host (${answer.reason}): set OPENCOMPUTER_ACCEL to auto or tcg, or delete ${answerPath} to try again`,
  );
}

/** One that cannot be read is set aside, and the host is asked again. */
async function readAnswer(
  path: string,
  log: { error(details: object, message: string): void },
): Promise<Answer | undefined> {
  try {
    return await readRecord(path, answerKind);
  } catch (error) {
    const aside = await setAside(path);
    log.error({ aside, err: error }, "Whether KVM works cannot be read; it is found out again");
    return undefined;
  }
}

async function probe(options: {
  host: string;
  image: Image;
  bootMachine: BootMachine;
  workDirectory: string;
}): Promise<Answer> {
  const { host, image, workDirectory } = options;
  await rm(workDirectory, { recursive: true, force: true });
  await mkdir(workDirectory, { recursive: true });
  try {
    const machine = await options.bootMachine({
      image,
      shape: newMachineShape("kvm", 512),
      diskPath: join(workDirectory, "disk.qcow2"),
      directory: workDirectory,
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
    await rm(workDirectory, { recursive: true, force: true });
  }
}
