import type { Dial, FindPolicy, GuestConnection, WriteAudit } from "../contract.ts";
import { ByteChannel } from "../http1/byte-channel.ts";
import type { BodyBudgets } from "./body-budgets.ts";
import type { Clock } from "./clock.ts";
import type { ExchangeOptions } from "./exchange-options.ts";
import { UpstreamLink } from "./upstream-link.ts";
import type { Watchdog, Watchdogs } from "./watchdog.ts";

/** What every exchange needs from outside. */
export interface ExchangeDependencies {
  readonly dial: Dial;
  readonly findPolicy: FindPolicy;
  readonly writeAudit: WriteAudit;
  /** Whether the audit trail takes lines; while it does not, no request is sent. */
  readonly isAuditTrailWritable: () => boolean;
  readonly bodyBudgets: BodyBudgets;
  readonly clock: Clock;
  readonly options: ExchangeOptions;
}

/** A guest's connection while it is served, with the upstream connection that belongs to it. */
export interface ServedConnection {
  readonly origin: GuestConnection;
  readonly guest: ByteChannel;
  readonly link: UpstreamLink;
  readonly watchdog: Watchdog;
  /**
   * Whether the guest can still be told of a failure: a request has begun and
   * no octet of a final answer has been sent.
   */
  canAnswer: boolean;
}

export function createServedConnection(
  origin: GuestConnection,
  deps: ExchangeDependencies,
  watchdogs: Watchdogs,
): ServedConnection {
  const watchdog = watchdogs.start(() => {
    if (!connection.canAnswer) connection.guest.destroy();
    connection.guest.stopReading("the connection timed out");
    connection.link.drop();
  });
  const onActivity = () => watchdog.activity();
  const link = new UpstreamLink({ dial: deps.dial, clock: deps.clock, onActivity });
  const guest = new ByteChannel(origin.socket, { onActivity, onClosed: () => link.drop() });
  const connection: ServedConnection = { origin, guest, link, watchdog, canAnswer: false };
  return connection;
}
