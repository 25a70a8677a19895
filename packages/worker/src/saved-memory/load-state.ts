import { z } from "zod";
import { type Monitor, waitUntil } from "./follow-migration.ts";

const statusSchema = z.object({ status: z.string() });
/** States of a machine that is paused after a load; it may have been saved while it lacked storage. */
const pausedStates: ReadonlySet<string> = new Set(["paused", "io-error"]);

/** Loads a saved state from a source such as `fd:3`; the machine is paused afterwards. */
export async function loadState(qmp: Monitor, source: string): Promise<void> {
  await qmp.execute("migrate-incoming", { uri: source }, z.unknown());
  await waitUntil(
    async () => pausedStates.has((await qmp.execute("query-status", {}, statusSchema)).status),
    "Loading a saved machine",
    3,
  );
}
