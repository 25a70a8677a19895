import type { Clock } from "./clock.ts";

/** Watches one connection for time-outs. */
export interface Watchdog {
  /** Expires after this time, whatever moves. */
  allowTotal(seconds: number): void;
  /** Expires when nothing moves for this time. */
  allowQuiet(seconds: number): void;
  /** Something moved. */
  activity(): void;
  readonly expired: boolean;
  stop(): void;
}

export interface Watchdogs {
  start(onExpired: () => void): Watchdog;
}

/**
 * One timer for every connection: restarting a timer of its own with each
 * arrival would cost more than the arrival. A time-out begins at the first
 * check after its cause, so it comes at most two `checkSeconds` late.
 */
export function createWatchdogs(deps: { clock: Clock; checkSeconds: number }): Watchdogs {
  const { clock, checkSeconds } = deps;
  const checks = new Set<(now: number) => void>();
  let timer: NodeJS.Timeout | undefined;

  function checkAll(): void {
    const now = clock.monotonicMilliseconds();
    for (const check of checks) check(now);
  }

  return {
    start(onExpired) {
      let since = clock.monotonicMilliseconds();
      let milliseconds = Number.POSITIVE_INFINITY;
      let isExtended = false;
      let isExpired = false;
      let restarts = false;
      const check = (now: number) => {
        if (restarts) since = now;
        restarts = false;
        if (isExpired || now - since < milliseconds) return;
        isExpired = true;
        onExpired();
      };
      const allow = (seconds: number, extended: boolean) => {
        milliseconds = seconds * 1000;
        isExtended = extended;
        isExpired = false;
        restarts = true;
      };
      checks.add(check);
      timer ??= setInterval(checkAll, checkSeconds * 1000).unref();
      return {
        allowTotal: (seconds) => allow(seconds, false),
        allowQuiet: (seconds) => allow(seconds, true),
        activity() {
          if (isExtended) restarts = true;
        },
        get expired() {
          return isExpired;
        },
        stop() {
          checks.delete(check);
          if (checks.size === 0) {
            clearInterval(timer);
            timer = undefined;
          }
        },
      };
    },
  };
}
