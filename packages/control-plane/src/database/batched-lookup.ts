import { setImmediate } from "node:timers/promises";

/** Rows that one query asks for, at most. */
const keysPerQueryMax = 500;

interface Waiting<Key, Row> {
  key: Key;
  resolve: ((row: Row | undefined) => void)[];
  reject: ((error: unknown) => void)[];
}

/**
 * Looks rows up one query at a time: what is asked for before a query begins,
 * and what comes while one runs, is asked together in the next. A lookup never gets the result of a
 * query that began before it, so each sees every write that ended before it.
 *
 * @param nameOf The same text for keys of the same row.
 * @param load The rows that exist, by the names of their keys.
 */
export function createBatchedLookup<Key, Row>({
  nameOf,
  load,
}: {
  nameOf: (key: Key) => string;
  load: (keys: Key[]) => Promise<Map<string, Row>>;
}): (key: Key) => Promise<Row | undefined> {
  let waiting = new Map<string, Waiting<Key, Row>>();
  let isRunning = false;

  function takeBatch(): Map<string, Waiting<Key, Row>> {
    const entries = [...waiting];
    waiting = new Map(entries.slice(keysPerQueryMax));
    return new Map(entries.slice(0, keysPerQueryMax));
  }

  async function run(): Promise<void> {
    isRunning = true;
    while (waiting.size > 0) {
      // Other sockets are read first: the lookups of requests that are ready come along.
      await setImmediate();
      const batch = takeBatch();
      try {
        const rows = await load([...batch.values()].map(({ key }) => key));
        for (const [name, { resolve }] of batch) {
          for (const resolveOne of resolve) resolveOne(rows.get(name));
        }
      } catch (error) {
        for (const { reject } of batch.values()) for (const fail of reject) fail(error);
      }
    }
    isRunning = false;
  }

  return (key) =>
    new Promise((resolve, reject) => {
      const name = nameOf(key);
      const entry = waiting.get(name);
      if (entry === undefined) waiting.set(name, { key, resolve: [resolve], reject: [reject] });
      else {
        entry.resolve.push(resolve);
        entry.reject.push(reject);
      }
      if (!isRunning) void run();
    });
}
