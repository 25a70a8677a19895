import type { EgressSecret, RevokedSecret } from "@opencomputer/protocol";
import { LRUCache } from "lru-cache";
import type { Destination, SessionPolicy } from "../contract.ts";
import { nowhere, PlacementSet } from "./placement-set.ts";
import { TokenEntry } from "./token-entry.ts";

/** The tokens of a session, with what each may become at one destination. */
export interface TokenTable {
  readonly entries: ReadonlyMap<string, TokenEntry>;
  /** Whether some token becomes its value anywhere in a body. */
  readonly changesBodies: boolean;
  /** The members of a body in which some token becomes its value, and nowhere else in it. */
  readonly bodyFields: readonly string[];
}

const destinationsMax = 256;
/** What all remembered tables of a policy may hold: a guest chooses the hosts. */
const rememberedEntriesMax = 256 * 1024;

/**
 * The token tables of one policy, made when a destination is first used.
 * Tables share their entries, so a further one costs a pointer a secret.
 */
export class TokenTables {
  readonly #secretsFor: SessionPolicy["secretsFor"];
  readonly #revoked: ReadonlyMap<string, TokenEntry>;
  readonly #usable = new Map<EgressSecret, TokenEntry>();
  readonly #withheld = new Map<EgressSecret, TokenEntry>();
  readonly #tables = new LRUCache<string, TokenTable>({
    max: destinationsMax,
    maxSize: rememberedEntriesMax,
    sizeCalculation: (table) => table.entries.size + 1,
  });

  constructor(
    secretsFor: SessionPolicy["secretsFor"],
    revokedSecrets: readonly RevokedSecret[] = [],
  ) {
    this.#secretsFor = secretsFor;
    this.#revoked = new Map(
      revokedSecrets.map(({ name, token }) => [
        token,
        new TokenEntry(name, nowhere, "", { isRevoked: true }),
      ]),
    );
  }

  /** The table for a destination. Over plain HTTP no token is usable, whatever the policy says. */
  forDestination({ scheme, host }: Destination): TokenTable {
    const key = `${scheme}:${host}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const { usable, withheld } = this.#secretsFor(host);
    const table =
      scheme === "https"
        ? this.#makeTable(usable, withheld)
        : this.#makeTable([], [...usable, ...withheld]);
    this.#tables.set(key, table);
    return table;
  }

  #makeTable(usable: readonly EgressSecret[], withheld: readonly EgressSecret[]): TokenTable {
    const entries = new Map<string, TokenEntry>(this.#revoked);
    const bodyFields = new Set<string>();
    let changesBodies = false;
    for (const secret of withheld) entries.set(secret.token, this.#withheldEntry(secret));
    for (const secret of usable) {
      const entry = this.#usableEntry(secret);
      entries.set(secret.token, entry);
      if (entry.placements.body) changesBodies = true;
      for (const field of entry.placements.bodyFields) bodyFields.add(field);
    }
    return { entries, changesBodies, bodyFields: [...bodyFields] };
  }

  #usableEntry(secret: EgressSecret): TokenEntry {
    let entry = this.#usable.get(secret);
    if (entry === undefined) {
      entry = new TokenEntry(secret.name, new PlacementSet(secret.substituteIn), secret.value);
      this.#usable.set(secret, entry);
    }
    return entry;
  }

  /** An entry without the value: no mistake further on can give it away. */
  #withheldEntry(secret: EgressSecret): TokenEntry {
    let entry = this.#withheld.get(secret);
    if (entry === undefined) {
      entry = new TokenEntry(secret.name, nowhere, "");
      this.#withheld.set(secret, entry);
    }
    return entry;
  }
}
