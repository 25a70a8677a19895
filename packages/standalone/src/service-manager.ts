import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Pings within the time that the manager allows between two. */
const pingsPerPeriod = 3;
const sendMilliseconds = 10_000;
const variableNames = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** The manager that started this process, such as systemd; one that does nothing where there is none. */
export interface ServiceManager {
  /** Says that the service is ready, and goes on to say that it is alive, for as long as it is. */
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

/**
 * Speaks sd_notify(3) by systemd-notify(1), since Node has no datagram sockets
 * of Unix. The variables for it are taken out of the environment: nothing that
 * this process starts speaks for it.
 */
export function connectServiceManager({
  environment,
  isAlive,
  onNote,
}: {
  environment: NodeJS.ProcessEnv;
  /** Asked before each ping of the watchdog. */
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
      onNote(`The service manager was not sent ${message}: ${reason.trim()}`);
    }
  };

  const ping = async () => {
    while (!ending.signal.aborted) {
      if (await isAlive()) await send("WATCHDOG=1");
      else onNote("The API does not respond; the service manager is not told that it is alive");
      await delay(periodMilliseconds / pingsPerPeriod, undefined, { signal: ending.signal }).catch(
        // It is stopping, as the condition of the loop sees.
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
