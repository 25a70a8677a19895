import type { Database } from "../database/database.ts";
import { sql } from "../database/query-builder.ts";
import { type EgressLogRow, sandboxSecrets, storeSecrets } from "../database/schema.ts";

/** A use is noted when the one that is known is older than this. */
const noteSecondsMin = 60;

/**
 * Notes in stores when their secrets were last used, by the entries of sandboxes that have
 * copies of them. A row that another transaction is changing is left to a later use, so that
 * nothing waits for it.
 */
export async function noteSecretUses(
  transaction: Database,
  rows: readonly Pick<EgressLogRow, "sandboxId" | "time" | "secrets">[],
): Promise<void> {
  const uses = new Map<string, { sandbox_id: string; name: string; time: Date }>();
  for (const { sandboxId, time, secrets } of rows) {
    for (const { name } of secrets.substituted) {
      const key = `${sandboxId} ${name}`;
      const known = uses.get(key);
      if (known === undefined || known.time < time) {
        uses.set(key, { sandbox_id: sandboxId, name, time });
      }
    }
  }
  if (uses.size === 0) return;
  await transaction.execute(
    sql`with used as (
          select copy.source_store_id, copy.name, max(use.time) as time
          from jsonb_to_recordset(${JSON.stringify([...uses.values()])}::jsonb)
            as use (sandbox_id text, name text, time timestamptz)
          join ${sandboxSecrets} as copy on copy.sandbox_id = use.sandbox_id and copy.name = use.name
          group by copy.source_store_id, copy.name),
        chosen as (
          select secret.id, used.time from ${storeSecrets} as secret
          join used on secret.store_id = used.source_store_id and secret.name = used.name
          where secret.last_used_at is null
            or secret.last_used_at < used.time - make_interval(secs => ${noteSecondsMin})
          for no key update of secret skip locked)
        update ${storeSecrets} as secret set last_used_at = chosen.time
        from chosen where secret.id = chosen.id`,
  );
}
