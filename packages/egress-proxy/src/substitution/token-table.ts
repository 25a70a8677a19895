import type { EgressSecret } from "@opencomputer/protocol";
import type { Scheme, SessionPolicy } from "../contract.ts";
import { type BodyForm, writeInForm } from "./value-forms.ts";

/** What may be done with one token at one destination. */
export interface TokenEntry {
  readonly name: string;
  readonly usable: boolean;
  /** The value as header text (latin1, one character an octet); undefined when no header may hold it. */
  readonly headerText: string | undefined;
  bodyOctets(form: BodyForm): Buffer;
}

/** The tokens of a session, as they stand towards one destination. */
export interface TokenTable {
  readonly entries: ReadonlyMap<string, TokenEntry>;
  readonly hasUsable: boolean;
}

const destinationsPerPolicyMax = 256;
const tablesByPolicy = new WeakMap<SessionPolicy, Map<string, TokenTable>>();

/**
 * The table for a destination, made once per policy and destination. Over
 * plain HTTP no token is usable, whatever the policy says.
 */
export function tokenTableFor(policy: SessionPolicy, scheme: Scheme, host: string): TokenTable {
  const key = `${scheme}:${host}`;
  let tables = tablesByPolicy.get(policy);
  const known = tables?.get(key);
  if (known !== undefined) return known;
  if (tables === undefined || tables.size >= destinationsPerPolicyMax) {
    tables = new Map();
    tablesByPolicy.set(policy, tables);
  }
  const table = makeTokenTable(policy, scheme, host);
  tables.set(key, table);
  return table;
}

function makeTokenTable(policy: SessionPolicy, scheme: Scheme, host: string): TokenTable {
  const { usable, withheld } = policy.secretsFor(host);
  const entries = new Map<string, TokenEntry>();
  for (const secret of withheld) entries.set(secret.token, makeEntry(secret, false));
  for (const secret of usable) entries.set(secret.token, makeEntry(secret, scheme === "https"));
  return { entries, hasUsable: scheme === "https" && usable.length > 0 };
}

function makeEntry(secret: EgressSecret, usable: boolean): TokenEntry {
  const written = new Map<BodyForm, Buffer>();
  return {
    name: secret.name,
    usable,
    headerText: usable ? headerTextOf(secret.value) : undefined,
    bodyOctets(form) {
      let octets = written.get(form);
      if (octets === undefined) {
        octets = Buffer.from(writeInForm(secret.value, form), "utf8");
        written.set(form, octets);
      }
      return octets;
    },
  };
}

/** A header holds no control octets but HTAB (RFC 9110 §5.5). */
function headerTextOf(value: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control octets are what is refused here
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return undefined;
  return Buffer.from(value, "utf8").toString("latin1");
}
