export interface Clock {
  /** Milliseconds since 1970, for the audit log. */
  wallMilliseconds(): number;
  /** Milliseconds that only ever grow, for durations and time-outs. */
  monotonicMilliseconds(): number;
}

export const systemClock: Clock = {
  wallMilliseconds: () => Date.now(),
  monotonicMilliseconds: () => performance.now(),
};
