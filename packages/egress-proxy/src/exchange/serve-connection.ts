import type { GuestConnection, ServeConnection } from "../contract.ts";
import { systemClock } from "./clock.ts";
import { defaultExchangeOptions, type ExchangeOptions } from "./exchange-options.ts";
import { serveExchange } from "./serve-exchange.ts";
import { createServedConnection, type ExchangeDependencies } from "./served-connection.ts";
import { createWatchdogs } from "./watchdog.ts";

type Optional = "clock" | "options";

/**
 * Makes the function that serves a guest's connection: HTTP/1.1 and HTTP/1.0,
 * one request after the other, each under the policy that is in force when it
 * begins. The socket should allow half-open connections; without that, a guest
 * that ends its sending side early ends its connection.
 */
export function createServeConnection(
  deps: Omit<ExchangeDependencies, Optional> & {
    readonly clock?: ExchangeDependencies["clock"];
    readonly options?: Partial<ExchangeOptions>;
  },
): ServeConnection {
  const options = { ...defaultExchangeOptions, ...deps.options };
  const clock = deps.clock ?? systemClock;
  const exchangeDeps: ExchangeDependencies = { ...deps, clock, options };
  const watchdogs = createWatchdogs({ clock, checkSeconds: options.timeoutCheckSeconds });

  return async (origin: GuestConnection) => {
    const connection = createServedConnection(origin, exchangeDeps, watchdogs);
    const { guest, link, watchdog } = connection;
    try {
      watchdog.allowTotal(options.headTimeoutSeconds);
      while (await guest.readable()) {
        watchdog.allowTotal(options.headTimeoutSeconds);
        if (!(await serveExchange(connection, exchangeDeps))) break;
        watchdog.allowTotal(options.idleTimeoutSeconds);
      }
    } finally {
      link.drop();
      watchdog.allowQuiet(options.idleTimeoutSeconds);
      await guest.lingeringClose(options.lingerSeconds * 1000);
      watchdog.stop();
    }
  };
}
