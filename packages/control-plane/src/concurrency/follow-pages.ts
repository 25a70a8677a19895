import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol/api";

const pollMilliseconds = 1_000;
/** Items that are read at a time. */
const pageSize = 100;

/** A page of what is read after a place. */
export interface FollowedPage<Place, Item> {
  items: readonly Item[];
  /** Where the next page starts. */
  next: Place;
  hasMore: boolean;
}

/** Reads the page after a place, of `limit` items at most. */
export type ReadPage<Place, Item> = (
  place: Place,
  limit: number,
) => Promise<FollowedPage<Place, Item>>;

/** Follows lists that grow, for so many requests of each org at a time. */
export interface PageFollowers {
  /**
   * Returns the items after a place, each as soon as it can be read, until the signal is
   * aborted. It counts for the org until the iteration ends.
   *
   * @throws {WireError} `too_many_requests`
   */
  follow<Place, Item>(
    orgId: string,
    from: Place,
    readPage: ReadPage<Place, Item>,
    signal: AbortSignal,
  ): AsyncIterable<Item>;
}

export function createPageFollowers(options: {
  perOrgMax: number;
  /** The text of the error at the maximum. */
  refusal: string;
}): PageFollowers {
  const countByOrg = new Map<string, number>();

  async function* countUntilEnd<Item>(
    orgId: string,
    followed: AsyncIterable<Item>,
  ): AsyncGenerator<Item> {
    try {
      yield* followed;
    } finally {
      const others = (countByOrg.get(orgId) ?? 1) - 1;
      if (others === 0) countByOrg.delete(orgId);
      else countByOrg.set(orgId, others);
    }
  }

  return {
    follow(orgId, from, readPage, signal) {
      const count = countByOrg.get(orgId) ?? 0;
      if (count >= options.perOrgMax) throw new WireError("too_many_requests", options.refusal);
      countByOrg.set(orgId, count + 1);
      return countUntilEnd(orgId, poll(from, readPage, signal));
    },
  };
}

async function* poll<Place, Item>(
  from: Place,
  readPage: ReadPage<Place, Item>,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  let place = from;
  while (!signal.aborted) {
    const { items, next, hasMore } = await readPage(place, pageSize);
    place = next;
    yield* items;
    if (!hasMore) await delay(pollMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}
