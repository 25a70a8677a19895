import type { EgressProtocol, WithheldReason } from "@opencomputer/protocol/api";

/** What the egress log has of an exchange besides its audit line. */
export interface ExchangeDetail {
  /** The port that the guest asked for, where the line's host does not have it. */
  readonly port?: number;
  /** Where it is more than the line's kind. */
  readonly protocol?: EgressProtocol;
  /** The place of each token that became its value. */
  readonly substituted?: readonly { readonly name: string; readonly place: string }[];
  /** Why, for each of the line's `withheld`. */
  readonly withheldReasons?: readonly WithheldReason[];
  /** How often each value of the line's `redacted` occurred. */
  readonly redactedCounts?: ReadonlyMap<string, number>;
  readonly foreignTokens?: number;
}
