/** Things made ahead of time, because making one takes long. */
export interface Pool<Item> {
  /** Takes one that is ready; undefined when none is. A new one is made once it is quiet. */
  take(): Item | undefined;
  /** Removes one that broke in the pool. False when it is not in the pool. */
  remove(item: Item): boolean;
  /** How many are ready. */
  readonly readyCount: number;
  /** Notes that something more urgent than refilling is happening. */
  noteActivity(): void;
  /** Stops refilling for good, and returns what is ready and what was just being made. */
  drain(): Promise<Item[]>;
  /** Stops refilling for good, and discards what is ready and what was just being made. */
  close(): Promise<void>;
}

/**
 * Keeps `size` items ready. Refilling waits until nothing has been noted for
 * `quietMilliseconds`, yet never longer than `patienceMilliseconds`, and makes
 * one item at a time. When making fails, `onFailure` is called, and the next
 * attempt comes after `patienceMilliseconds`.
 */
export function createPool<Item>(options: {
  size: number;
  make: () => Promise<Item>;
  discard: (item: Item) => Promise<void>;
  quietMilliseconds: number;
  /** How long the first one waits; not at all when it is absent. */
  firstQuietMilliseconds?: number;
  patienceMilliseconds: number;
  onFailure: (error: unknown) => void;
}): Pool<Item> {
  const { size, make, discard, quietMilliseconds, patienceMilliseconds, onFailure } = options;
  const ready: Item[] = [];
  let timer: NodeJS.Timeout | undefined;
  let making: Promise<void> | undefined;
  let waitingSince: number | undefined;
  let closed = false;

  function schedule(delayMilliseconds: number): void {
    clearTimeout(timer);
    timer = undefined;
    if (closed || making !== undefined || ready.length >= size) {
      waitingSince = undefined;
      return;
    }
    waitingSince ??= Date.now();
    const patienceLeft = Math.max(0, waitingSince + patienceMilliseconds - Date.now());
    timer = setTimeout(makeOne, Math.min(delayMilliseconds, patienceLeft));
  }

  function makeOne(): void {
    waitingSince = undefined;
    timer = undefined;
    making = make()
      .then(
        (item) => {
          ready.push(item);
          return 0;
        },
        (error: unknown) => {
          onFailure(error);
          return patienceMilliseconds;
        },
      )
      .then((pauseMilliseconds) => {
        making = undefined;
        schedule(pauseMilliseconds);
      });
  }

  async function drain(): Promise<Item[]> {
    closed = true;
    clearTimeout(timer);
    await making;
    return ready.splice(0);
  }

  schedule(options.firstQuietMilliseconds ?? 0);
  return {
    take() {
      const item = ready.shift();
      schedule(quietMilliseconds);
      return item;
    },
    remove(item) {
      const index = ready.indexOf(item);
      if (index === -1) return false;
      ready.splice(index, 1);
      schedule(quietMilliseconds);
      return true;
    },
    get readyCount() {
      return ready.length;
    },
    noteActivity() {
      if (timer !== undefined) schedule(quietMilliseconds);
    },
    drain,
    async close() {
      await Promise.all((await drain()).map(discard));
    },
  };
}
