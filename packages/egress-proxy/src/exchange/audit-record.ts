import type { AuditLine } from "@opencomputer/protocol";
import type { GuestConnection, SessionPolicy } from "../contract.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { redactText } from "../redaction/stream-redactor.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { Clock } from "./clock.ts";

/** Gathers what the audit trail says of one request. */
export class AuditRecord {
  readonly seen = new SeenSecrets();
  readonly #connection: GuestConnection;
  readonly #clock: Clock;
  readonly #startedWall: number;
  readonly #started: number;
  #sandboxId: string | null = null;
  #host: string | null;
  #method: string | null = null;
  #path: string | null = null;
  #refused = false;
  #reason: string | null = null;
  #search: ValueSearch | undefined;
  /** Whether any of the request went to the upstream. */
  sentUpstream = false;
  status: number | null = null;
  requestBytes = 0;
  responseBytes = 0;

  constructor(connection: GuestConnection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
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

  /** Takes values out of everything that the guest chose, when the line is written. */
  redact(search: ValueSearch): void {
    this.#search = search;
  }

  host(host: string): void {
    this.#host = host;
  }

  /** The host for people to read. */
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

  finish(): AuditLine {
    const search = this.#search;
    const redacted = <Text extends string | null>(text: Text): Text | string =>
      text === null || search === undefined ? text : redactText(text, search, ignoreName);
    return {
      time: isoTime(this.#startedWall),
      kind: this.#connection.scheme,
      sandboxId: this.#sandboxId,
      sourceAddress: this.#connection.sourceAddress,
      host: redacted(this.#host),
      method: redacted(this.#method),
      path: redacted(this.#path),
      decision: this.#refused ? "refused" : "allowed",
      reason: redacted(this.#reason),
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
    };
  }
}

let lastMilliseconds = Number.NaN;
let lastText = "";

/** ISO 8601 in UTC with milliseconds. The requests of one millisecond share the text. */
function isoTime(millisecondsSince1970: number): string {
  if (millisecondsSince1970 !== lastMilliseconds) {
    lastText = new Date(millisecondsSince1970).toISOString();
    lastMilliseconds = millisecondsSince1970;
  }
  return lastText;
}

/** Drops what is finer than a microsecond: it means nothing and makes the line longer. */
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

/** What the guest sent has been noted before. */
function ignoreName(): void {
  // Nothing is to be noted.
}
