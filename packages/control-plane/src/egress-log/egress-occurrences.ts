import { type EventContent, eventText } from "@opencomputer/protocol/api";
import type { EgressEventType, NewEgressEntry } from "../database/schema.ts";

/** Something that entries have in common, of which there is at most one event an hour. */
export interface EgressOccurrence {
  orgId: string;
  sandboxId: string;
  type: EgressEventType;
  /** What tells occurrences of a sandbox and type apart. */
  subject: string;
  /** The event's data but for how often it occurred. */
  data: Record<string, unknown>;
  count: number;
}

const hostCharactersMax = 253;
const secretPorts: ReadonlySet<number | null> = new Set([443, 80, null]);
/** Stands for all hosts, where they are counted together. */
const otherHosts = "*";

/** What the entries have that is worth an event, each once with how often it occurred. */
export function occurrencesIn(rows: readonly NewEgressEntry[]): EgressOccurrence[] {
  const found = new Map<string, EgressOccurrence>();
  for (const row of rows) {
    for (const occurrence of occurrencesOf(row)) addTo(found, occurrence);
  }
  return [...found.values()];
}

/** Adds an occurrence to the one of its kind. */
export function addTo(found: Map<string, EgressOccurrence>, occurrence: EgressOccurrence): void {
  const key = keyOf(occurrence);
  const known = found.get(key);
  if (known === undefined) found.set(key, { ...occurrence });
  else known.count += occurrence.count;
}

export function keyOf(
  occurrence: Pick<EgressOccurrence, "sandboxId" | "type" | "subject">,
): string {
  return `${occurrence.sandboxId} ${occurrence.type} ${occurrence.subject}`;
}

/** The occurrence without what a guest chose: of those there is a bounded number. */
export function withoutHost(occurrence: EgressOccurrence): EgressOccurrence {
  const { secret } = occurrence.data;
  const port = "port" in occurrence.data ? { port: 0 } : {};
  return {
    ...occurrence,
    subject: subjectOf(typeof secret === "string" ? secret : "", otherHosts),
    data: { ...occurrence.data, host: otherHosts, ...port },
  };
}

/** The event that reports an occurrence. */
export function contentOf({ type, data, count }: EgressOccurrence): EventContent {
  // The schemas of events drop or refuse fields that do not belong to the type.
  return { type, data: { ...data, count } } as EventContent;
}

function occurrencesOf(row: NewEgressEntry): EgressOccurrence[] {
  const { orgId, sandboxId, secrets, leftOut } = row;
  const host = hostOf(row);
  const secretHost = secretPorts.has(row.port) || host === "" ? host : `${host}:${row.port}`;
  const of = (
    type: EgressEventType,
    secret: string,
    data: Record<string, unknown>,
    count: number,
  ): EgressOccurrence => ({
    ...{ orgId, sandboxId, type, data, count },
    subject: subjectOf(secret, String(data["host"]), data["port"]),
  });
  const ofSecret = (type: EgressEventType, secret: string, count: number, more = {}) =>
    of(type, secret, { secret, host: secretHost.slice(0, hostCharactersMax), ...more }, count);
  // A sum of exchanges does not tell which of its hosts a secret was sent to.
  const used = leftOut > 0 ? [] : secrets.substituted;
  const found = [
    ...used.map(({ name }) => ofSecret("secret.first_used", name, 1)),
    ...secrets.withheld.map(({ name, reason }) =>
      ofSecret("secret.withheld", name, 1, { reason: reason ?? "several" }),
    ),
    ...secrets.redacted.map(({ name, count }) => ofSecret("secret.redacted", name, count)),
    ...secrets.leaked.map((name) => ofSecret("secret.leaked", name, 1)),
  ];
  if (secrets.foreignTokens > 0) {
    found.push(of("secret.foreign_token", "", { host }, secrets.foreignTokens));
  }
  if (row.decision === "refused") {
    const reason = eventText(row.shown.reason ?? "");
    const data = { host, port: row.port ?? 0, reason };
    found.push(of("egress.refused", "", data, Math.max(1, leftOut)));
  }
  return found;
}

/** The host as an event may have it; empty when it is not known. */
function hostOf({ host }: NewEgressEntry): string {
  return (host ?? "").slice(0, hostCharactersMax).replace(/\p{Surrogate}/gu, "\u{fffd}");
}

function subjectOf(secret: string, host: string, port?: unknown): string {
  return [secret, host, ...(port === undefined ? [] : [port])].join(" ");
}
