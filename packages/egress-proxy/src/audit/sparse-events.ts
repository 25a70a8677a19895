import { LRUCache } from "lru-cache";

interface Window {
  startedAtMilliseconds: number;
  events: number;
  leftOut: number;
}

/** How many events of its source were left out before this one; undefined when it is left out itself. */
export type AdmitEvent = (source: string) => number | undefined;

const windowMilliseconds = 60_000;
const eventsPerWindowMax = 10;
const sourcesMax = 4096;

/** Admits ten events a minute of each source. */
export function createSparseEvents(deps: { now: () => number }): AdmitEvent {
  const windows = new LRUCache<string, Window>({ max: sourcesMax });

  return (source) => {
    const now = deps.now();
    const window = windows.get(source);
    if (window === undefined || now - window.startedAtMilliseconds >= windowMilliseconds) {
      windows.set(source, { startedAtMilliseconds: now, events: 1, leftOut: 0 });
      return window?.leftOut ?? 0;
    }
    if (window.events >= eventsPerWindowMax) {
      window.leftOut += 1;
      return undefined;
    }
    window.events += 1;
    return 0;
  };
}
