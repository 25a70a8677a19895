import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import {
  endedMigrations,
  type Monitor,
  queryMigration,
  tuneMigration,
  waitUntil,
} from "./follow-migration.ts";
import { receiveState, type StateReceiver } from "./receive-state.ts";

const bandwidthBytesMax = 2 ** 40;
/** Per second. Memory that is all zeros takes half a minute at this rate. */
const beginningBandwidthBytes = 64 * 1024;
/**
 * A running machine is paused for its last changes when they take this long.
 * Emulated CPUs of QEMU before 9.0 keep writing, unnoticed, to a page whose changes
 * were collected once: with 0 they are collected only as the save begins and
 * when it ends, both times while the CPUs are paused.
 */
const pauseMillisecondsTargets = { kvm: 20, tcg: 0 } as const;
/** QEMU is asked how far a save is at these intervals: while its stream comes, and when that has ended. */
const pollMilliseconds = { streaming: 50, ended: 2 } as const;
/** After this time a machine whose memory changes faster than it is saved is paused. */
const liveSeconds = 20;

export interface SaveMemoryOptions {
  readonly accelerator: keyof typeof pauseMillisecondsTargets;
  /** The memory that goes into its own file, by QEMU's name of its block. */
  readonly block: { readonly name: string; readonly bytes: number };
  /** Where QEMU sends the state to. */
  readonly socketPath: string;
  readonly memoryPath: string;
  readonly statePath: string;
  /** Whether the machine runs now. */
  readonly isRunning: boolean;
}

/**
 * Saves the memory of a machine and the rest of its state into two new files. A
 * running machine is paused at the end, or earlier when its memory changes too fast.
 *
 * @throws {Error} when it cannot be saved. The save is cancelled by then.
 */
export async function saveMemory(qmp: Monitor, options: SaveMemoryOptions): Promise<void> {
  const receiver = await receiveState(options);
  try {
    await sendState(qmp, receiver, options);
  } catch (error) {
    await cancel(qmp);
    throw error;
  } finally {
    await receiver.close();
  }
}

async function sendState(
  qmp: Monitor,
  receiver: StateReceiver,
  { accelerator, socketPath, isRunning }: SaveMemoryOptions,
): Promise<void> {
  const uri = `unix:${socketPath}`;
  await tuneMigration(qmp, {
    "max-bandwidth": bandwidthBytesMax,
    "downtime-limit": pauseMillisecondsTargets[accelerator],
  });
  const pauseAt = performance.now() + liveSeconds * 1000;
  if (isRunning && accelerator === "tcg") await beginWhilePaused(qmp, uri);
  else await qmp.execute("migrate", { uri }, z.unknown());
  let isPaused = false;
  const pauseAtEnd = () => delay(pollMilliseconds.ended);
  await waitUntil(
    async () => {
      const migration = await queryMigration(qmp);
      if (migration.status === "failed" || migration.status === "cancelled") {
        const description = migration["error-desc"] ?? migration.status;
        // An earlier failure of the receiver explains more than the connection that QEMU lost.
        receiver.fail(new Error(`QEMU could not save the machine: ${description}`));
        await receiver.received;
        throw new Error(`QEMU could not save the machine: ${description}`);
      }
      if (!isPaused && performance.now() > pauseAt) {
        isPaused = true;
        await qmp.execute("stop", {}, z.unknown());
      }
      return migration.status === "completed";
    },
    "Saving a machine",
    () =>
      Promise.race([
        receiver.received.then(pauseAtEnd, pauseAtEnd),
        delay(pollMilliseconds.streaming),
      ]),
  );
  await receiver.received;
}

/**
 * Begins a save while the machine is paused, until QEMU tracks its changes. The
 * save must not end meanwhile: the machine would run past what was saved.
 */
async function beginWhilePaused(qmp: Monitor, uri: string): Promise<void> {
  await tuneMigration(qmp, { "max-bandwidth": beginningBandwidthBytes });
  await qmp.execute("stop", {}, z.unknown());
  try {
    await qmp.execute("migrate", { uri }, z.unknown());
    await waitUntil(
      async () => {
        const { status, ram } = await queryMigration(qmp);
        return (ram?.["dirty-sync-count"] ?? 0) > 0 || endedMigrations.has(status ?? "");
      },
      "The beginning of a save",
      1,
    );
  } finally {
    await qmp.execute("cont", {}, z.unknown());
  }
  if ((await queryMigration(qmp)).status === "completed") {
    throw new Error("The save ended before the machine was resumed");
  }
  await tuneMigration(qmp, { "max-bandwidth": bandwidthBytesMax });
}

async function cancel(qmp: Monitor): Promise<void> {
  await qmp.execute("migrate_cancel", {}, z.unknown());
  await waitUntil(
    async () => {
      const { status } = await queryMigration(qmp);
      return status === undefined || endedMigrations.has(status);
    },
    "Cancelling a save",
    5,
  );
}
