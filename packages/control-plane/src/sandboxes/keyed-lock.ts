/** Runs work one after the other for each key; keys do not wait for one another. */
export interface KeyedLock {
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
  /** Whether work for the key runs or waits. */
  isHeld(key: string): boolean;
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>();
  return {
    isHeld: (key) => tails.has(key),

    async run(key, work) {
      const previous = tails.get(key);
      let release = (): void => undefined;
      const tail = new Promise<void>((resolve) => {
        release = resolve;
      });
      tails.set(key, tail);
      await previous;
      try {
        return await work();
      } finally {
        if (tails.get(key) === tail) tails.delete(key);
        release();
      }
    },
  };
}
