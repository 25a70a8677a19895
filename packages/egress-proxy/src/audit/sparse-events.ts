import { LRUCache } from "lru-cache";

interface Window {
  startedAtMilliseconds: number;
  events: number;
  leftOut: number;
}

const windowMilliseconds = 60_000;
const eventsPerWindowMax = 10;
const sourcesMax = 4096;

/** Admits ten events a minute of each source. */
export class SparseEvents {
  readonly #windows = new LRUCache<string, Window>({ max: sourcesMax });
  readonly #now: () => number;

  constructor(deps: { now: () => number }) {
    this.#now = deps.now;
  }

  /**
   * Returns how many events of the source were left out before this one;
   * undefined when this one is left out.
   */
  admit(source: string): number | undefined {
    const now = this.#now();
    const window = this.#windows.get(source);
    if (window === undefined || now - window.startedAtMilliseconds >= windowMilliseconds) {
      this.#windows.set(source, { startedAtMilliseconds: now, events: 1, leftOut: 0 });
      return window?.leftOut ?? 0;
    }
    if (window.events >= eventsPerWindowMax) {
      window.leftOut += 1;
      return undefined;
    }
    window.events += 1;
    return 0;
  }
}
