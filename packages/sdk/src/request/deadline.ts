/** The service gives up on saving memory and disk after 15 minutes. */
export const saveDeadlineSeconds = 960;

/** Aborts after a time unless it is released first; null never aborts. */
export interface Deadline {
  /** Combined with the caller's signal, if there is one. */
  signal: AbortSignal;
  hasPassed(): boolean;
  release(): void;
}

export function startDeadline(
  seconds: number | null,
  callerSignal: AbortSignal | undefined,
): Deadline {
  const controller = new AbortController();
  const timer = seconds === null ? undefined : setTimeout(() => controller.abort(), seconds * 1000);
  return {
    signal:
      callerSignal === undefined
        ? controller.signal
        : AbortSignal.any([callerSignal, controller.signal]),
    hasPassed: () => controller.signal.aborted,
    release: () => clearTimeout(timer),
  };
}

/** Resolves after the time, or rejects with the signal's reason when it is aborted first. */
export function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
