import type { WithheldReason } from "@opencomputer/protocol/api";
import type { EgressSecret, RevokedSecret } from "@opencomputer/protocol/wire";
import { LRUCache } from "lru-cache";
import type { AwsCredential } from "../aws-signature/aws-credential.ts";
import type { UsableAwsCredential } from "../aws-signature/read-signed-request.ts";
import type { Destination } from "../upstream/destination.ts";
import { nowhere, PlacementSet } from "./placement-set.ts";
import { TokenValue } from "./token-value.ts";

/** Splits the secrets of a session by whether this canonical host may receive their values. */
export type SecretsForHost = (host: string) => {
  readonly usable: readonly EgressSecret[];
  readonly withheld: readonly EgressSecret[];
  readonly usableAws: readonly AwsCredential[];
  readonly withheldAws: readonly AwsCredential[];
};

/** The tokens of a session, with what each may become at one destination. */
export interface TokenTable {
  readonly entries: ReadonlyMap<string, TokenValue>;
  /** The credentials that requests to the destination may be signed with, by the token of the access key id. */
  readonly awsCredentials: ReadonlyMap<string, UsableAwsCredential>;
  /** Whether some token becomes its value anywhere in a body. */
  readonly changesBodies: boolean;
  /** The members of a body in which some token becomes its value, and nowhere else in it. */
  readonly bodyFields: readonly string[];
}

const destinationsMax = 256;
/** Most entries of all cached tables of a policy: a guest chooses the hosts. */
const rememberedEntriesMax = 256 * 1024;

/**
 * The token tables of one policy, made when a destination is first used.
 * Tables share their entries, so another one costs a pointer per secret.
 */
export class TokenTables {
  readonly #secretsFor: SecretsForHost;
  readonly #revoked: ReadonlyMap<string, TokenValue>;
  readonly #usable = new Map<EgressSecret, TokenValue>();
  readonly #withheld = new Map<EgressSecret, TokenValue>();
  /** Withheld for the scheme alone. */
  readonly #unencrypted = new Map<EgressSecret, TokenValue>();
  readonly #tables = new LRUCache<string, TokenTable>({
    max: destinationsMax,
    maxSize: rememberedEntriesMax,
    sizeCalculation: (table) => table.entries.size + 1,
  });

  constructor(secretsFor: SecretsForHost, revokedSecrets: readonly RevokedSecret[] = []) {
    this.#secretsFor = secretsFor;
    this.#revoked = new Map(
      revokedSecrets.map(({ name, token }) => [
        token,
        new TokenValue(name, nowhere, "", "revoked"),
      ]),
    );
  }

  /** Returns the table for a destination. Over plain HTTP no token is usable, whatever the policy. */
  forDestination({ scheme, host }: Destination): TokenTable {
    const key = `${scheme}:${host}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const { usable, withheld, usableAws, withheldAws } = this.#secretsFor(host);
    const aws = [...usableAws, ...withheldAws];
    const table =
      scheme === "https"
        ? this.#makeTable({ usable, withheld, unencrypted: [] }, usableAws, aws)
        : this.#makeTable({ usable: [], withheld, unencrypted: usable }, [], aws);
    this.#tables.set(key, table);
    return table;
  }

  #makeTable(
    {
      usable,
      withheld,
      unencrypted,
    }: Record<"usable" | "withheld" | "unencrypted", readonly EgressSecret[]>,
    usableAws: readonly AwsCredential[],
    aws: readonly AwsCredential[],
  ): TokenTable {
    const entries = new Map<string, TokenValue>(this.#revoked);
    const bodyFields = new Set<string>();
    let changesBodies = false;
    for (const secret of withheld) {
      entries.set(secret.token, withheldEntry(this.#withheld, secret, "host"));
    }
    for (const secret of unencrypted) {
      entries.set(secret.token, withheldEntry(this.#unencrypted, secret, "plain_http"));
    }
    for (const secret of usable) {
      const entry = this.#usableEntry(secret);
      entries.set(secret.token, entry);
      if (entry.placements.body) changesBodies = true;
      for (const field of entry.placements.bodyFields) bodyFields.add(field);
    }
    // Their tokens are withheld wherever they are: the signature is what is replaced.
    for (const { name, tokens } of aws) {
      const entry = new TokenValue(name, nowhere, "", "signature");
      for (const token of tokens) entries.set(token, entry);
    }
    const awsCredentials = new Map(
      usableAws.map((credential) => [credential.accessKeyIdToken, usableCredential(credential)]),
    );
    return { entries, awsCredentials, changesBodies, bodyFields: [...bodyFields] };
  }

  #usableEntry(secret: EgressSecret): TokenValue {
    let entry = this.#usable.get(secret);
    if (entry === undefined) {
      entry = new TokenValue(secret.name, new PlacementSet(secret.substituteIn), secret.value);
      this.#usable.set(secret, entry);
    }
    return entry;
  }
}

/** Returns an entry without the value, so that no later mistake can reveal it. */
function withheldEntry(
  entries: Map<EgressSecret, TokenValue>,
  secret: EgressSecret,
  reason: WithheldReason,
): TokenValue {
  let entry = entries.get(secret);
  if (entry === undefined) {
    entry = new TokenValue(secret.name, nowhere, "", reason);
    entries.set(secret, entry);
  }
  return entry;
}

function usableCredential(credential: AwsCredential): UsableAwsCredential {
  const placements = new PlacementSet(credential.substituteIn);
  return {
    credential,
    inHeader: placements.header("authorization"),
    inQuery: placements.query,
  };
}
