/** The time for audit lines, durations and time-outs. */
export interface Clock {
  /** Milliseconds since 1970, for the audit log. */
  wallMilliseconds(): number;
  /** Milliseconds that never go back, for durations and time-outs. */
  monotonicMilliseconds(): number;
}

export const systemClock: Clock = {
  wallMilliseconds: () => Date.now(),
  monotonicMilliseconds: () => performance.now(),
};

/** Formats times as ISO 8601 in UTC with milliseconds. The requests of one millisecond share the text. */
export class Timestamps {
  #lastMilliseconds = Number.NaN;
  #lastText = "";

  format(millisecondsSince1970: number): string {
    if (millisecondsSince1970 !== this.#lastMilliseconds) {
      this.#lastText = new Date(millisecondsSince1970).toISOString();
      this.#lastMilliseconds = millisecondsSince1970;
    }
    return this.#lastText;
  }
}
