import type { AuditLine } from "@opencomputer/protocol/wire";
import type { ExchangeDetail } from "../../audit/audit-writer.ts";
import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { RequestHead } from "../../http/message-heads.ts";
import type { GuestConnection } from "../../listeners/guest-connection.ts";
import { redactText } from "../../redaction/stream-redactor.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import type { Clock, Timestamps } from "./clock.ts";

/** Collects the audit line of one request. */
export class AuditRecord {
  readonly seen = new SeenSecrets();
  readonly #connection: GuestConnection;
  readonly #clock: Clock;
  readonly #timestamps: Timestamps;
  readonly #startedWall: number;
  readonly #started: number;
  #sandboxId: string | null = null;
  #host: string | null;
  #method: string | null = null;
  #path: string | null = null;
  #refused = false;
  #reason: string | null = null;
  #shortfall: string | null = null;
  #search: ValueSearch | undefined;
  /** Whether any of the request went to the upstream. */
  sentUpstream = false;
  status: number | null = null;
  requestBytes = 0;
  responseBytes = 0;
  /** Whether the request is a call of gRPC. */
  isGrpc = false;
  /** Messages of a WebSocket, once there is one. */
  messages: { readonly fromGuest: number; readonly toGuest: number } | undefined;

  constructor(
    connection: GuestConnection,
    { clock, timestamps }: { clock: Clock; timestamps: Timestamps },
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#timestamps = timestamps;
    this.#startedWall = clock.wallMilliseconds();
    this.#started = clock.monotonicMilliseconds();
    this.#host = connection.serverName;
  }

  session(policy: SessionPolicy): void {
    this.#sandboxId = policy.sandboxId;
  }

  request(head: RequestHead): void {
    this.#method = head.method;
    this.#path = pathOf(head.target);
  }

  /** Redacts everything that the guest chose, when the line is written. */
  redact(search: ValueSearch): void {
    this.#search = search;
  }

  host(host: string): void {
    this.#host = host;
  }

  /** The host, for people to read. */
  get hostText(): string {
    return this.#host ?? "the host";
  }

  refused(reason: string): void {
    this.#refused = true;
    this.#reason ??= reason;
  }

  failed(reason: string): void {
    this.#reason ??= reason;
  }

  /** States why a body could not be searched; a failure takes precedence. */
  readonly unsearched = (shortfall: string): void => {
    this.#shortfall ??= shortfall;
  };

  finish(): AuditLine {
    const search = this.#search;
    const redacted = this.#redacted;
    return {
      time: this.#timestamps.format(this.#startedWall),
      kind: this.#connection.scheme,
      sandboxId: this.#sandboxId,
      sourceAddress: this.#connection.sourceAddress,
      host: redacted(this.#host),
      method: redacted(this.#method),
      path: redacted(this.#path),
      decision: this.#refused ? "refused" : "allowed",
      reason: redacted(this.#reason ?? this.#shortfall),
      status: this.status,
      substituted: this.sentUpstream ? this.seen.substituted : [],
      withheld:
        search === undefined
          ? this.seen.withheld
          : this.seen.withheld.map(({ name, place }) => ({ name, place: redacted(place) })),
      redacted: this.seen.redacted,
      leaked: this.seen.leaked,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      durationMilliseconds: roundToMicroseconds(
        this.#clock.monotonicMilliseconds() - this.#started,
      ),
      ...this.#webSocket(),
    };
  }

  /** What the egress log has besides the line. */
  detail(): ExchangeDetail {
    const { substitutedPlaces, withheldReasons, redactedCounts, foreignTokens } = this.seen;
    const substituted = this.sentUpstream ? substitutedPlaces : [];
    const detail = {
      port: this.#connection.port,
      substituted:
        this.#search === undefined
          ? substituted
          : substituted.map(({ name, place }) => ({ name, place: this.#redacted(place) })),
      withheldReasons,
      redactedCounts,
      foreignTokens,
      wasSent: this.sentUpstream,
    };
    if (this.messages !== undefined) return { ...detail, protocol: "websocket" };
    return this.isGrpc ? { ...detail, protocol: "grpc" } : detail;
  }

  readonly #redacted = <Text extends string | null>(text: Text): Text | string =>
    text === null || this.#search === undefined ? text : redactText(text, this.#search, ignoreName);

  #webSocket(): Pick<AuditLine, "webSocket"> {
    if (this.messages === undefined) return {};
    const { fromGuest, toGuest } = this.messages;
    const { substituted, withheld, redacted } = this.seen.occurrences;
    return {
      webSocket: {
        messagesFromGuest: fromGuest,
        messagesToGuest: toGuest,
        substituted,
        withheld,
        redacted,
      },
    };
  }
}

/** Rounds to microseconds: finer digits mean nothing and make the line longer. */
function roundToMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/** The path of a target in origin form or absolute form, without its query. */
function pathOf(target: string): string {
  const query = target.indexOf("?");
  const path = query === -1 ? target : target.slice(0, query);
  if (path.startsWith("/")) return path;
  return /^https?:\/\//i.test(path) ? path.replace(/^https?:\/\/[^/]*/i, "") || "/" : path;
}

function ignoreName(): void {
  // What the guest sent has been noted before.
}
