import {
  defaults,
  type EventPage,
  type EventRecord,
  type EventType,
  type ListEventsQuery,
  limits,
} from "@opencomputer/protocol/api";
import { createPageFollowers } from "../concurrency/follow-pages.ts";
import { formatCursor, parseCursor } from "./event-cursor.ts";
import type { EventRepository } from "./event-repository.ts";

/** The events of an org, as the API's callers see them. */
export interface EventService {
  list(orgId: string, query: ListEventsQuery): Promise<EventPage>;
  /**
   * Resolves with the events after a cursor, or from now on without one, each as soon as
   * it can be read, until the signal is aborted.
   *
   * @throws {WireError} `too_many_requests`
   */
  follow(
    orgId: string,
    query: Pick<ListEventsQuery, "sandboxId" | "type" | "cursor">,
    signal: AbortSignal,
  ): Promise<AsyncIterable<EventRecord>>;
}

export function createEventService(deps: { events: EventRepository }): EventService {
  const { events } = deps;
  const followers = createPageFollowers({
    perOrgMax: limits.eventFollowersPerOrgMax,
    refusal: `Event stream limit reached: this org follows its events in ${limits.eventFollowersPerOrgMax} requests, the maximum. Close one, or list events`,
  });

  return {
    async list(orgId, query) {
      const { sandboxId, type, cursor, order = "asc", limit = defaults.eventsPerPage } = query;
      const filter = {
        ...{ sandboxId, types: chosenTypes(type) },
        since: query.since === undefined ? undefined : new Date(query.since),
        until: query.until === undefined ? undefined : new Date(query.until),
      };
      const from = cursor === undefined ? undefined : parseCursor(cursor);
      const page = await events.list(orgId, filter, { from, order, limit });
      return { events: page.events, cursor: formatCursor(page.next), hasMore: page.hasMore };
    },

    async follow(orgId, { sandboxId, type, cursor }, signal) {
      const from = cursor === undefined ? await events.end() : parseCursor(cursor);
      const filter = { sandboxId, types: chosenTypes(type) };
      return followers.follow(
        orgId,
        from,
        async (place, limit) => {
          const page = await events.list(orgId, filter, { from: place, order: "asc", limit });
          return { items: page.events, next: page.next, hasMore: page.hasMore };
        },
        signal,
      );
    },
  };
}

/** An empty list chooses nothing, so it restricts nothing. */
function chosenTypes(types: readonly EventType[] | undefined): readonly EventType[] | undefined {
  return types?.length === 0 ? undefined : types;
}
