import { ByteChannel } from "../http1/byte-channel.ts";
import type { GuestConnection } from "../listeners/guest-connection.ts";
import { Http1Guest } from "./guest/http1-guest.ts";
import { serveExchange } from "./serve-exchange.ts";
import { serveHttp2 } from "./serve-http2.ts";
import type { ExchangeDependencies } from "./state/exchange-dependencies.ts";
import { presentPolicy } from "./state/present-policy.ts";
import { createServedConnection } from "./state/served-connection.ts";
import { OwnUpstream } from "./upstream/own-upstream.ts";

/**
 * Serves a guest's connection until either side ends it: HTTP/2, or HTTP/1.1
 * and HTTP/1.0, one request after the other, each under the policy that is in
 * force when it begins. Never rejects.
 *
 * The socket should allow half-open connections; without that, a guest that
 * ends its sending side early ends its connection.
 */
export async function serveConnection(
  deps: ExchangeDependencies,
  origin: GuestConnection,
): Promise<void> {
  if (origin.protocol === "h2") return await serveHttp2(deps, origin);
  const { headTimeoutSeconds, idleTimeoutSeconds, lingerSeconds } = deps.options;
  const connection = createServedConnection(origin, deps, {
    guest: (hooks) => new Http1Guest(new ByteChannel(origin.socket, hooks)),
    link: (onActivity) =>
      new OwnUpstream({
        ...deps,
        onActivity,
        isInEffect: (policy) => presentPolicy(deps, origin) === policy,
      }),
  });
  const { link, watchdog } = connection;
  const { channel } = connection.guest;
  const makeRoom = () => channel.stopReading("another connection of the sandbox needed the room");
  try {
    watchdog.allowTotal(headTimeoutSeconds);
    origin.admission.idle(makeRoom);
    while (await channel.readable()) {
      origin.admission.busy();
      watchdog.allowTotal(headTimeoutSeconds);
      if (!(await serveExchange(connection, deps))) break;
      watchdog.allowTotal(idleTimeoutSeconds);
      // Short responses are written without waiting: a guest that reads none is not read from.
      await channel.flowing();
      origin.admission.idle(makeRoom);
    }
  } finally {
    link.release();
    watchdog.allowQuiet(idleTimeoutSeconds);
    await channel.lingeringClose(lingerSeconds * 1000);
    watchdog.stop();
  }
}
