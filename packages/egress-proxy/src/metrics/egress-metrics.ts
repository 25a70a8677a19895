import { type AuditLine, auditLineSchema } from "@opencomputer/protocol/wire";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Counts what passes the proxy. No host, sandbox or name of a secret is a label. */
export interface EgressMetrics {
  /** A request or stream that has ended. */
  countLine(line: AuditLine): void;
  /** What happened to secrets in what {@link countRefusal} counted. */
  countSecrets(line: Pick<AuditLine, "substituted" | "withheld" | "redacted" | "leaked">): void;
  /** A connection or a DNS question that was refused before there was a request. */
  countRefusal(refusal: Pick<AuditLine, "kind">): void;
  /** A response that the proxy gave instead of the upstream. @param code One of a fixed list. */
  countFailure(code: string): void;
}

type Kind = AuditLine["kind"];
type Decision = AuditLine["decision"];

const kinds = auditLineSchema.shape.kind.options;
const decisions = auditLineSchema.shape.decision.options;
/** What can happen to a secret in a request. */
const secretResults = ["substituted", "withheld", "redacted", "leaked"] as const;
/** Upper bounds in seconds: from an API on the same continent to a model that thinks. */
const durationBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

export function createEgressMetrics(
  registry: Registry,
  read: {
    connections: () => number;
    dnsConnections: () => number;
    sessions: () => number;
    isAuditTrailWritable: () => boolean;
    egressLog: () => {
      /** Lines that are not stored yet. */
      readonly size: number;
      readonly counts: { readonly kept: number; readonly leftOut: number };
    };
  },
): EgressMetrics {
  const registers = [registry];
  const counts = createCounts();
  counterOf("opencomputer_egress_requests_total", {
    help: "Requests, streams and refused connections by kind and decision",
    labelNames: ["kind", "decision"],
    samples: () =>
      kinds.flatMap((kind) =>
        decisions.map((decision) => ({
          labels: { kind, decision },
          value: counts.requests[kind][decision],
        })),
      ),
  });
  const failures = new Counter({
    name: "opencomputer_egress_failures_total",
    help: "Responses that the proxy gave instead of the upstream, by the code of the error",
    labelNames: ["code"],
    registers,
  });
  counterOf("opencomputer_egress_secrets_total", {
    help: "Secrets by what happened to them, each once for each request",
    labelNames: ["result"],
    samples: () =>
      secretResults.map((result) => ({ labels: { result }, value: counts.secrets[result] })),
  });
  counterOf("opencomputer_egress_bytes_total", {
    help: "Bytes of bodies and streams by direction, as the sandbox sees it",
    labelNames: ["direction"],
    samples: () => [
      { labels: { direction: "sent" }, value: counts.bytesSent },
      { labels: { direction: "received" }, value: counts.bytesReceived },
    ],
  });
  const durations = new Histogram({
    name: "opencomputer_egress_request_duration_seconds",
    help: "Time from the first byte of an allowed request to the last of its response",
    buckets: durationBuckets,
    registers,
  });
  const gauge = (name: string, help: string, now: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(now());
      },
    });
  gauge("opencomputer_egress_connections", "Open connections of sandboxes", read.connections);
  gauge(
    "opencomputer_egress_dns_connections",
    "Open connections of sandboxes to the resolver",
    read.dnsConnections,
  );
  gauge("opencomputer_egress_sessions", "Sandboxes that the proxy has a session of", read.sessions);
  gauge(
    "opencomputer_egress_audit_trail_writable",
    "1 while the audit trail can be written; at 0, requests are refused",
    () => (read.isAuditTrailWritable() ? 1 : 0),
  );

  gauge(
    "opencomputer_egress_log_waiting",
    "Lines of the egress log that the control plane has not stored yet",
    () => read.egressLog().size,
  );
  counterOf("opencomputer_egress_log_lines_total", {
    help: "Lines for the egress log: kept, or left out and summarized, because a sandbox had too many",
    labelNames: ["result"],
    samples: () => {
      const { kept, leftOut } = read.egressLog().counts;
      return [
        { labels: { result: "kept" }, value: kept },
        { labels: { result: "left_out" }, value: leftOut },
      ];
    },
  });

  const countSecrets: EgressMetrics["countSecrets"] = (line) => {
    for (const result of secretResults) counts.secrets[result] += line[result].length;
  };

  return {
    countLine(line) {
      const { kind, decision } = line;
      counts.requests[kind][decision] += 1;
      if (decision === "allowed") durations.observe(line.durationMilliseconds / 1000);
      counts.bytesSent += line.requestBytes;
      counts.bytesReceived += line.responseBytes;
      countSecrets(line);
    },
    countSecrets,
    countRefusal({ kind }) {
      counts.requests[kind].refused += 1;
    },
    countFailure(code) {
      failures.inc({ code });
    },
  };

  /** A counter whose samples are taken when it is read. */
  function counterOf<Label extends string>(
    name: string,
    counter: {
      help: string;
      labelNames: readonly Label[];
      samples: () => { labels: Record<Label, string>; value: number }[];
    },
  ): void {
    new Counter({
      ...{ name, help: counter.help, labelNames: counter.labelNames, registers },
      collect() {
        this.reset();
        for (const { labels, value } of counter.samples()) this.inc(labels, value);
      },
    });
  }
}

/**
 * Counts of what each request changes, all of them from 0: a rate is of two samples, so
 * the first event of a kind would otherwise not be one. A counter of prom-client, which
 * sorts and joins its labels at each increment, costs a tenth of an exchange.
 */
function createCounts() {
  const requests = Object.fromEntries(
    kinds.map((kind) => [kind, { allowed: 0, refused: 0 }]),
  ) as Record<Kind, Record<Decision, number>>;
  const secrets = { substituted: 0, withheld: 0, redacted: 0, leaked: 0 };
  return { requests, secrets, bytesSent: 0, bytesReceived: 0 };
}
