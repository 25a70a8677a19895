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
 * arrival would cost more than the arrival. Time-outs are as exact as
 * `checkSeconds`.
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
      let hasMoved = false;
      const check = (now: number) => {
        if (hasMoved && isExtended) since = now;
        hasMoved = false;
        if (isExpired || now - since < milliseconds) return;
        isExpired = true;
        onExpired();
      };
      const allow = (seconds: number, extended: boolean) => {
        since = clock.monotonicMilliseconds();
        milliseconds = seconds * 1000;
        isExtended = extended;
        isExpired = false;
        hasMoved = false;
      };
      checks.add(check);
      timer ??= setInterval(checkAll, checkSeconds * 1000).unref();
      return {
        allowTotal: (seconds) => allow(seconds, false),
        allowQuiet: (seconds) => allow(seconds, true),
        activity() {
          hasMoved = true;
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
