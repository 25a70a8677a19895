import type { Duplex } from "node:stream";
import type { AuditLine, EgressMode, EgressSecret, RevokedSecret } from "@opencomputer/protocol";
import type { ValueSearch } from "./redaction/value-search.ts";
import type { TokenTables } from "./substitution/token-table.ts";

/** What the proxy may do for one sandbox. Immutable: a new session makes a new policy. */
export interface SessionPolicy {
  readonly sandboxId: string;
  readonly version: number;
  readonly machineId: string;
  readonly sourceAddress: string;
  readonly mode: EgressMode;
  readonly egressAllowlist: readonly string[];
  /** Every secret of the session. */
  readonly secrets: readonly EgressSecret[];
  /** Secrets whose value was revoked: their tokens become nothing anywhere. */
  readonly revokedSecrets: readonly RevokedSecret[];
  /**
   * What is searched for in everything that comes back, at every host: values
   * that the sandbox can use or could use. Undefined when there is nothing.
   */
  readonly search: ValueSearch | undefined;
  /** What each token may become at each destination; made with the policy, and gone with it. */
  readonly tokens: TokenTables;
  /** Why the sandbox may not reach this canonical host, for people to read; null when it may. */
  refusalFor(host: string): string | null;
  /** The session's secrets, parted by whether this canonical host may receive their values. */
  secretsFor(host: string): {
    readonly usable: readonly EgressSecret[];
    readonly withheld: readonly EgressSecret[];
  };
  /**
   * Whether this canonical host may have stored a value: one that it could
   * receive, now or earlier, in a place other than a header. Such a host is
   * not asked for parts of a resource.
   */
  mayStoreValue(host: string): boolean;
}

/** Finds the policy in force for the address that a guest's packets come from. */
export type FindPolicy = (sourceAddress: string) => SessionPolicy | undefined;

export type Scheme = "https" | "http";

/** Where a request is to go: a canonical host and the port that its scheme implies. */
export interface Destination {
  readonly scheme: Scheme;
  readonly host: string;
}

/**
 * Opens a connection to a destination: resolves the name, refuses private
 * addresses that no operator setting opens, and for `https` verifies the
 * certificate against the host. Rejects with `DialError` only.
 */
export type Dial = (destination: Destination, signal: AbortSignal) => Promise<Duplex>;

export type DialFailure =
  | "name_not_resolved"
  | "address_refused"
  | "connection_failed"
  | "certificate_invalid"
  | "timed_out";

const dialStatuses: Record<DialFailure, number> = {
  name_not_resolved: 502,
  address_refused: 403,
  connection_failed: 502,
  certificate_invalid: 502,
  timed_out: 504,
};

/** Why an upstream could not be reached, in words that the guest may read. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "DialError";
    this.failure = failure;
  }

  get status(): number {
    return dialStatuses[this.failure];
  }
}

/** Takes one finished request, refusal or failure to the audit log. */
export type WriteAudit = (line: AuditLine) => void;

/** A guest's connection, after TLS where there is TLS. */
export interface GuestConnection {
  readonly socket: Duplex;
  readonly scheme: Scheme;
  readonly sourceAddress: string;
  /** Canonical server name of the TLS handshake; null for plain HTTP. */
  readonly serverName: string | null;
}

/** Serves a guest's connection until either side ends it. Never rejects. */
export type ServeConnection = (connection: GuestConnection) => Promise<void>;
