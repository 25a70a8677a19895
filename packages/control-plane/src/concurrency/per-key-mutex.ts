import { AsyncResource } from "node:async_hooks";
import AsyncLock from "async-lock";

/** A mutex for each key: work of one key runs one after the other, and keys do not wait for one another. */
export class PerKeyMutex {
  readonly #lock = new AsyncLock({ maxPending: Number.POSITIVE_INFINITY });

  run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    // A function with a parameter would be given a callback, and hold the mutex until it is called.
    // Bound, so that it is part of its caller's trace and not of the trace of who had the mutex before.
    return this.#lock.acquire(
      key,
      AsyncResource.bind(() => work()),
    );
  }

  /** Whether work for the key runs or waits. */
  isHeld(key: string): boolean {
    return this.#lock.isBusy(key);
  }
}
