import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { QmpClient } from "../qmp/qmp-client.ts";

export type Monitor = Pick<QmpClient, "execute">;

const migrationSchema = z.object({
  status: z.string().optional(),
  "error-desc": z.string().optional(),
  ram: z.object({ "dirty-sync-count": z.int() }).optional(),
});
export const endedMigrations: ReadonlySet<string> = new Set([
  "none",
  "completed",
  "cancelled",
  "failed",
]);
/** For a state to be saved or loaded: the largest memory, on a slow disk. */
const stateTimeoutSeconds = 600;

/** What QEMU reports of a migration, as which it saves and loads a machine. */
export function queryMigration(qmp: Monitor) {
  return qmp.execute("query-migrate", {}, migrationSchema);
}

export function tuneMigration(
  qmp: Monitor,
  parameters: { "max-bandwidth"?: number; "downtime-limit"?: number },
) {
  return qmp.execute("migrate-set-parameters", parameters, z.unknown());
}

/**
 * Waits until `isDone` returns true, asking again after each pause: so many
 * milliseconds, or until a promise resolves.
 *
 * @throws {Error} that names `what`, after ten minutes
 */
export async function waitUntil(
  isDone: () => Promise<boolean>,
  what: string,
  pause: number | (() => Promise<unknown>),
): Promise<void> {
  const deadline = performance.now() + stateTimeoutSeconds * 1000;
  while (!(await isDone())) {
    if (performance.now() > deadline)
      throw new Error(`${what} took longer than ${stateTimeoutSeconds} seconds`);
    await (typeof pause === "number" ? delay(pause) : pause());
  }
}
