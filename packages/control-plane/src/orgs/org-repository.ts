import { PerKeyMutex } from "../concurrency/per-key-mutex.ts";
import type { Database } from "../database/database.ts";
import { eq } from "../database/query-builder.ts";
import { orgs } from "../database/schema.ts";

export const defaultOrgName = "default";

/** Returns the id of the org of that name, which is made when it is absent. */
export async function ensureOrg(database: Database, name: string): Promise<string> {
  await database.insert(orgs).values({ name }).onConflictDoNothing();
  const [row] = await database.select({ id: orgs.id }).from(orgs).where(eq(orgs.name, name));
  if (row === undefined) throw new Error(`Org ${name} is absent right after its insert`);
  return row.id;
}

/** The transactions of a database that lock an org. A process has one for each database. */
export class OrgTransactions {
  readonly #database: Database;
  /** Transactions of one org wait here: the connections, with which they would wait, are few and of all orgs. */
  readonly #queues = new PerKeyMutex();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Does work in a transaction that has locked an org, so that transactions that count
   * its objects before they add or remove one run one after the other. Rows that refer
   * to the org can be written meanwhile. The work begins no other such transaction of the org.
   */
  run<Result>(orgId: string, work: (transaction: Database) => Promise<Result>): Promise<Result> {
    return this.#queues.run(orgId, () =>
      this.#database.transaction(async (transaction) => {
        await transaction
          .select({ id: orgs.id })
          .from(orgs)
          .where(eq(orgs.id, orgId))
          .for("no key update");
        return work(transaction);
      }),
    );
  }
}
