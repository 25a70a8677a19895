import type { GuestConnection } from "../../listeners/guest-connection.ts";
import type { ConnectionHooks, GuestSide } from "../guest/guest-side.ts";
import type { UpstreamLink } from "../upstream/upstream-link.ts";
import type { ExchangeDependencies } from "./exchange-dependencies.ts";
import type { Watchdog } from "./watchdog.ts";

/**
 * How far a guest's connection is with its present request.
 *
 * - `idle`: no request has begun, or the last one is done
 * - `requested`: a request has begun, and no byte of a final response was sent:
 *   a failure can still be reported to the guest
 * - `responding`: a final response has begun; a failure breaks the connection off
 */
export type ConnectionStage = "idle" | "requested" | "responding";

/** A guest's connection while it is served, with the upstream connection that belongs to it. */
export interface ServedConnection<Guest extends GuestSide = GuestSide> {
  readonly origin: GuestConnection;
  readonly guest: Guest;
  readonly link: UpstreamLink;
  readonly watchdog: Watchdog;
  stage: ConnectionStage;
}

/** Begins to watch a guest's connection for time-outs. `sides` creates its two sides. */
export function createServedConnection<Guest extends GuestSide>(
  origin: GuestConnection,
  deps: ExchangeDependencies,
  sides: {
    readonly guest: (hooks: ConnectionHooks) => Guest;
    readonly link: (onActivity: () => void) => UpstreamLink;
  },
): ServedConnection<Guest> {
  const watchdog = deps.watchdogs.start(() => {
    if (connection.stage !== "requested") connection.guest.destroy();
    connection.guest.stopReading("the connection timed out");
    connection.link.drop();
  });
  const onActivity = () => watchdog.activity();
  const link = sides.link(onActivity);
  const guest = sides.guest({ onActivity, onClosed: () => link.release() });
  const connection: ServedConnection<Guest> = { origin, guest, link, watchdog, stage: "idle" };
  return connection;
}
