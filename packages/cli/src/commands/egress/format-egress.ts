import type { EgressEntry, EgressExplanation, EgressSuggestion } from "@opencomputer/sdk";
import { formatSize, printable } from "../../output/format.ts";

export const headOfEntries = [
  "TIME",
  "DECISION",
  "STATUS",
  "REQUEST",
  "BYTES",
  "SECRETS",
  "REASON",
];

/** The cells of an entry below {@link headOfEntries}. */
export function formatEntry(entry: EgressEntry): string[] {
  const { time, decision, status, requestBytes, responseBytes, reason } = entry;
  return [
    time,
    decision,
    status === null ? "-" : String(status),
    requestOf(entry),
    `${formatSize(requestBytes)} / ${formatSize(responseBytes)}`,
    secretsOf(entry) || "-",
    reason ?? "",
  ];
}

function requestOf({ leftOut, method, protocol, host, port, path }: EgressEntry): string {
  if (leftOut > 0) return `(${leftOut} exchanges)`;
  const usual = { https: 443, http: 80, websocket: 443, grpc: 443, tls: 443, dns: 53, tcp: null };
  const at = port === null || port === usual[protocol] ? "" : `:${port}`;
  const url = `${protocol}://${host ?? "?"}${at}${path ?? ""}`;
  return method === null ? url : `${method} ${url}`;
}

function secretsOf({ secrets }: EgressEntry): string {
  const parts = [
    ...secrets.substituted.map(({ name, places }) => `${name} sent in ${places.join(", ") || "?"}`),
    ...secrets.withheld.map(({ name, place, reason }) => {
      const why = reason === null ? "" : ` (${reason})`;
      return `${name} withheld in ${place}${why}`;
    }),
    ...secrets.redacted.map(({ name, count }) => `${name} redacted ${count}x`),
    ...secrets.leaked.map((name) => `${name} LEAKED`),
  ];
  if (secrets.foreignTokens > 0) parts.push(`${secrets.foreignTokens} foreign tokens`);
  return parts.join("; ");
}

export function formatSuggestion(suggestion: EgressSuggestion): string {
  const { egressAllowlist, perSecretAllowedHosts, exchangeCount, since } = suggestion;
  const hosts = Object.entries(perSecretAllowedHosts);
  const basis =
    since === null ? "no exchanges" : `${exchangeCount} exchanges since ${printable(since)}`;
  const incomplete = "Some exchanges of that time were left out of the log: hosts may be missing.";
  return [
    `From ${basis}`,
    ...(suggestion.isIncomplete ? [incomplete] : []),
    "",
    "Egress allowlist:",
    ...listed(egressAllowlist, "  "),
    "",
    "Per-secret allowed hosts:",
    ...(hosts.length === 0 ? ["  (none)"] : []),
    ...hosts.flatMap(([name, list]) => [`  ${printable(name)}:`, ...listed(list, "    ")]),
    ...counted("Refused, and not in the lists above:", suggestion.refused),
    ...counted("Allowed but never reached, and not in the lists above:", suggestion.unreached),
  ].join("\n");
}

function counted(title: string, entries: EgressSuggestion["refused"]): string[] {
  if (entries.length === 0) return [];
  return ["", title, ...entries.map(({ entry, count }) => `  • ${printable(entry)} (${count}x)`)];
}

export function formatExplanation(explanation: EgressExplanation): string {
  const { decision, rule, reason, protocol, host, port, secrets } = explanation;
  return [
    `${decision === "allowed" ? "Allowed" : "Refused"}: ${protocol}://${printable(host)}:${port}`,
    `Rule: ${rule}`,
    `Reason: ${printable(reason)}`,
    "",
    "Secrets:",
    ...(secrets.length === 0 ? ["  (none is used)"] : []),
    ...secrets.map(({ name, substituteIn, withheld, allowedHosts }) => {
      const hosts = allowedHosts.length === 0 ? "" : `; its hosts: ${allowedHosts.join(", ")}`;
      const fate =
        withheld === null
          ? `substituted in ${substituteIn.join(", ")}`
          : `withheld (${withheld})${hosts}`;
      return `  ${printable(`${name}: ${fate}`)}`;
    }),
  ].join("\n");
}

function listed(entries: readonly string[], indent: string): string[] {
  return entries.length === 0
    ? [`${indent}(none)`]
    : entries.map((entry) => `${indent}• ${printable(entry)}`);
}
