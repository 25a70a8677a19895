import type { Clock } from "./clock.ts";

/** What is checked together with the watchdogs. */
export interface Checked {
  /** `now` is on the monotonic clock, in milliseconds. */
  check(now: number): void;
}

/**
 * Starts and checks the watchdogs of all connections.
 *
 * One timer serves every connection: restarting a separate timer with each
 * arrival would cost more than the arrival. A time-out begins at the first
 * check after its cause, so it comes at most two `checkSeconds` late.
 */
export class Watchdogs {
  readonly #clock: Clock;
  readonly #checkSeconds: number;
  readonly #checked = new Set<Checked>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: { clock: Clock; checkSeconds: number }) {
    this.#clock = deps.clock;
    this.#checkSeconds = deps.checkSeconds;
  }

  start(onExpired: () => void): Watchdog {
    const watchdog = new Watchdog(this.#clock.monotonicMilliseconds(), onExpired, () =>
      this.#remove(watchdog),
    );
    this.#add(watchdog);
    return watchdog;
  }

  /** Checks something else as often, until the returned function is called. */
  check(checked: Checked): () => void {
    this.#add(checked);
    return () => this.#remove(checked);
  }

  #add(checked: Checked): void {
    this.#checked.add(checked);
    this.#timer ??= setInterval(() => this.#checkAll(), this.#checkSeconds * 1000).unref();
  }

  #checkAll(): void {
    const now = this.#clock.monotonicMilliseconds();
    for (const checked of this.#checked) checked.check(now);
  }

  #remove(checked: Checked): void {
    this.#checked.delete(checked);
    if (this.#checked.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What a watchdog allows: any time, a total time, or a time in which nothing moves. */
type Allowance = "unlimited" | "total" | "quiet";

/** Watches one connection for time-outs. */
export class Watchdog {
  readonly #onExpired: () => void;
  readonly #onStopped: () => void;
  #allowance: Allowance = "unlimited";
  #milliseconds = Number.POSITIVE_INFINITY;
  /** When the allowance began, on the monotonic clock. */
  #since: number;
  /** Whether the allowance begins anew at the next check. */
  #restarts = false;
  #expired = false;

  constructor(now: number, onExpired: () => void, onStopped: () => void) {
    this.#since = now;
    this.#onExpired = onExpired;
    this.#onStopped = onStopped;
  }

  get expired(): boolean {
    return this.#expired;
  }

  /** Does not expire. */
  allowUnlimited(): void {
    this.#allow("unlimited", Number.POSITIVE_INFINITY);
  }

  /** Expires after this time, whatever moves. */
  allowTotal(seconds: number): void {
    this.#allow("total", seconds);
  }

  /** Expires when nothing moves for this time. */
  allowQuiet(seconds: number): void {
    this.#allow("quiet", seconds);
  }

  /** Reports that something moved. */
  activity(): void {
    if (this.#allowance === "quiet") this.#restarts = true;
  }

  check(now: number): void {
    if (this.#restarts) this.#since = now;
    this.#restarts = false;
    if (this.#expired || now - this.#since < this.#milliseconds) return;
    this.#expired = true;
    this.#onExpired();
  }

  stop(): void {
    this.#onStopped();
  }

  #allow(allowance: Allowance, seconds: number): void {
    this.#allowance = allowance;
    this.#milliseconds = seconds * 1000;
    this.#expired = false;
    this.#restarts = true;
  }
}
