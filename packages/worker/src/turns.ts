/** Lets work on one thing happen one after the other, in the order of asking. */
export interface Turns {
  take<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Returns when nothing waits any more. */
  settle(): Promise<void>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    take(work) {
      const result = last.then(work, work);
      // The one whose work fails hears of it; the next one only waits for its end.
      last = result.catch(() => undefined);
      return result;
    },
    async settle() {
      await last;
    },
  };
}
