import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { RequestHead } from "../../http/message-heads.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import type { AuditRecord } from "./audit-record.ts";
import type { ExchangeDependencies } from "./exchange-dependencies.ts";
import { presentPolicy } from "./present-policy.ts";
import type { ServedConnection } from "./served-connection.ts";

/** The progress of sending a request. */
export interface Sending {
  /** Whether all of it was written to the upstream. */
  complete: boolean;
  /** The error of the guest's side, after which the upstream connection is destroyed. */
  failure: unknown;
}

/** One exchange in progress: a request with its response. Each step fills in what later steps need. */
export interface Exchange {
  readonly connection: ServedConnection;
  readonly deps: ExchangeDependencies;
  readonly audit: AuditRecord;
  head: RequestHead | undefined;
  body: IncomingBody | undefined;
  /** The policy of the request, once the session was found. */
  policy: SessionPolicy | undefined;
  sending: Sending | undefined;
  /** The result of {@link currentSearch}, once it was called. */
  search: (() => ValueSearch | undefined) | undefined;
  /** Bytes taken from the sandbox's budget for collected bodies, to be given back. */
  reservedBytes: number;
}

/**
 * Returns a function that returns the present search for values. It follows
 * the sandbox's session, so that a value that is set while a response is being
 * relayed is searched for too.
 */
export function currentSearch(
  exchange: Exchange,
  policy: SessionPolicy,
): () => ValueSearch | undefined {
  const { connection, deps } = exchange;
  exchange.search ??= () => (presentPolicy(deps, connection.origin) ?? policy).search;
  return exchange.search;
}
