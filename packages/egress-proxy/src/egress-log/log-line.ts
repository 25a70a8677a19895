import type { EgressProtocol, EgressSecrets } from "@opencomputer/protocol/api";
import { type AuditLine, type EgressLogLine, serviceLimits } from "@opencomputer/protocol/wire";
import type { ExchangeDetail } from "../audit/audit-writer.ts";
import { boundedJson, cutList, cutText, placeBytesMax } from "../audit/bounded-line.ts";

/** Bytes of a text that a guest or an upstream chose; the rest is cut. */
const textBytesMax = 1024;
const portMax = 65_535;
const hostPattern = /^(.+):(\d{1,5})$/;

const ports: Readonly<Partial<Record<AuditLine["kind"], number>>> = {
  https: 443,
  http: 80,
  tls: 443,
  dns: 53,
};

/** Encodes a line of a sandbox for the egress log, without its sequence, as JSON of bounded length. */
export function logLineJson(
  sandboxId: string,
  line: AuditLine,
  detail: ExchangeDetail,
  leftOut: number,
): string {
  return boundedJson(serviceLimits.egressLogLineBytesMax, (share) => ({
    sandboxId,
    ...exchangeOf(line, detail, leftOut, share),
  }));
}

function exchangeOf(
  line: AuditLine,
  detail: ExchangeDetail,
  leftOut: number,
  share: number,
): Omit<EgressLogLine, "sequence" | "sandboxId"> {
  const text = (value: string | null) =>
    value === null ? null : cutText(value, textBytesMax * share);
  const protocol: EgressProtocol = detail.protocol ?? line.kind;
  const { host, port } = splitHost(line, detail.port);
  return {
    time: line.time,
    protocol,
    host: text(host),
    port,
    method: text(line.method),
    path: text(line.path),
    decision: line.decision,
    reason: text(line.reason),
    secrets: secretsOf(line, detail, share),
    status: line.status,
    requestBytes: line.requestBytes,
    responseBytes: line.responseBytes,
    durationMilliseconds: line.durationMilliseconds,
    leftOut,
    wasSent: detail.wasSent ?? line.decision === "allowed",
  };
}

function secretsOf(line: AuditLine, detail: ExchangeDetail, share: number): EgressSecrets {
  const place = (text: string) => cutText(text, placeBytesMax * share);
  const places = new Map<string, string[]>(line.substituted.map((name) => [name, []]));
  for (const token of detail.substituted ?? []) places.get(token.name)?.push(place(token.place));
  const withheld = line.withheld.map((token, index) => ({
    ...token,
    place: place(token.place),
    reason: detail.withheldReasons?.[index] ?? null,
  }));
  const redacted = line.redacted.map((name) => ({
    name,
    count: detail.redactedCounts?.get(name) ?? 1,
  }));
  const same = <Entry>(entry: Entry) => entry;
  return {
    substituted: cutList(
      [...places].map(([name, list]) => ({ name, places: cutList(list, share, same, same) })),
      share,
      same,
      (name) => ({ name, places: [] }),
    ),
    withheld: cutList(withheld, share, same, (text) => ({ name: "…", place: text, reason: null })),
    redacted: cutList(redacted, share, same, (name) => ({ name, count: 1 })),
    leaked: cutList(line.leaked, share, same, same),
    foreignTokens: detail.foreignTokens ?? 0,
  };
}

/** The host without its port. A name that was asked of the resolver is kept as it is. */
function splitHost(
  { kind, host }: AuditLine,
  knownPort: number | undefined,
): { host: string | null; port: number | null } {
  const [, name, digits] = (kind !== "dns" && host !== null && hostPattern.exec(host)) || [];
  if (name !== undefined && Number(digits) <= portMax) return { host: name, port: Number(digits) };
  const usual = host === null && kind === "tls" ? undefined : ports[kind];
  return { host, port: knownPort ?? usual ?? null };
}
