import type { BodyReader } from "../http1/body-reader.ts";
import type { RequestHead } from "../http1/request-head.ts";
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
  sending: Sending | undefined;
  /** Octets of the budget for collected bodies that are to be given back. */
  reservedOctets: number;
}
