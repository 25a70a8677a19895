import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Pings sent within the time that the manager allows between two. */
const pingsPerPeriod = 3;
const sendMilliseconds = 10_000;
const variableNames = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** The manager that started this process, such as systemd; without one, its methods do nothing. */
export interface ServiceManager {
  /** Reports that the service is ready, and from then on that it is alive, while it is. */
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

/**
 * Connects to the manager by systemd-notify(1), since Node has no Unix datagram
 * sockets for sd_notify(3). The variables for it are removed from the
 * environment, so that no process that this one starts reports in its place.
 */
export function connectServiceManager({
  environment,
  isAlive,
  onNote,
}: {
  environment: NodeJS.ProcessEnv;
  /** Called before each ping of the watchdog. */
  isAlive: () => Promise<boolean>;
  onNote: (text: string) => void;
}): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  for (const name of variableNames) delete environment[name];
  const periodMilliseconds = Number(WATCHDOG_USEC ?? 0) / 1000;
  const isWatched =
    periodMilliseconds > 0 && (WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid);
  const ending = new AbortController();

  const send = async (message: string) => {
    if (NOTIFY_SOCKET === undefined) return;
    try {
      await run("systemd-notify", [message], {
        env: { PATH: "/usr/bin:/bin", NOTIFY_SOCKET },
        timeout: sendMilliseconds,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      onNote(`${message} could not be sent to the service manager: ${reason.trim()}`);
    }
  };

  const ping = async () => {
    while (!ending.signal.aborted) {
      if (await isAlive()) await send("WATCHDOG=1");
      else onNote("The API does not respond: the service manager gets no keep-alive ping");
      await delay(periodMilliseconds / pingsPerPeriod, undefined, { signal: ending.signal }).catch(
        // It is stopping, which ends the loop.
        () => undefined,
      );
    }
  };

  return {
    async ready() {
      await send("READY=1");
      if (NOTIFY_SOCKET !== undefined && isWatched) void ping();
    },
    async stopping() {
      ending.abort();
      await send("STOPPING=1");
    },
  };
}
