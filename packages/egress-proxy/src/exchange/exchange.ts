import type { SessionPolicy } from "../contract.ts";
import type { BodyReader } from "../http1/body-reader.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import type { AuditRecord } from "./audit-record.ts";
import type { Sending } from "./send-request.ts";
import type { ExchangeDependencies, ServedConnection } from "./served-connection.ts";

/** One exchange in progress: what its steps leave for the steps after them. */
export interface Exchange {
  readonly connection: ServedConnection;
  readonly deps: ExchangeDependencies;
  readonly audit: AuditRecord;
  head: RequestHead | undefined;
  body: BodyReader | undefined;
  /** The policy that the request is under, once it is known. */
  policy: SessionPolicy | undefined;
  sending: Sending | undefined;
  /** {@link currentSearch}, once it has been asked for. */
  search: (() => ValueSearch | undefined) | undefined;
  /** Bytes of the sandbox's budget for collected bodies that are to be given back. */
  reservedBytes: number;
}

/**
 * What responses are searched for now. It follows the sandbox's session, so
 * that a value that is set while a response is on its way is searched for too.
 */
export function currentSearch(
  exchange: Exchange,
  policy: SessionPolicy,
): () => ValueSearch | undefined {
  const { connection, deps } = exchange;
  exchange.search ??= () => {
    const current = deps.findPolicy(connection.origin.sourceAddress);
    return current?.sandboxId === policy.sandboxId ? current.search : policy.search;
  };
  return exchange.search;
}
