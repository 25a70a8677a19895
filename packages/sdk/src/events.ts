import {
  type EventType,
  type ReceivedEvent,
  type ReceivedEventPage,
  receivedEventPageSchema,
  receivedEventSchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { followStream } from "./request/follow-stream.ts";
import { requestJson } from "./request/send-request.ts";

/** A choice of events; absent fields restrict nothing. */
interface EventOptions extends ConnectionOptions {
  /** Only events of this sandbox, even after it was killed. */
  sandboxId?: string | undefined;
  /** Only events of these types, such as `sandbox.killed`. */
  types?: readonly EventType[] | undefined;
  /** The `cursor` of an event or a page: only events after it, or before it in order `desc`. */
  cursor?: string | undefined;
}

/** Options of {@link Events.list}. */
export interface ListEventsOptions extends EventOptions {
  /** Default `asc`: oldest first. */
  order?: "asc" | "desc" | undefined;
  /** Events of the page, 1–1000. Default 100. */
  limit?: number | undefined;
  /** The first moment of the events. */
  since?: Date | undefined;
  /** The first moment after the events. */
  until?: Date | undefined;
}

/** Options of {@link Events.follow}. */
export type FollowEventsOptions = EventOptions;

/** What has happened in the org. Every call throws {@link OpenComputerError}. */
export const Events = {
  /** Returns a page of events. The next page starts at its `cursor`, whether there are events after it yet or not. */
  async list(options: ListEventsOptions = {}): Promise<ReceivedEventPage> {
    const { order, limit, since, until } = options;
    const query = {
      ...{ ...queryOf(options), cursor: options.cursor, order },
      limit: limit === undefined ? undefined : String(limit),
      since: since?.toISOString(),
      until: until?.toISOString(),
    };
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/events", query },
      receivedEventPageSchema,
    );
  },

  /**
   * Events as they happen: those after `cursor`, or from now on without one. It ends
   * when its loop is left or its signal is aborted. While the service cannot be reached it
   * tries again, and continues after the last event.
   *
   * @throws {OpenComputerError} `connection_failed` when the first connection fails;
   * `too_many_requests` when the org has as many streams as it may.
   */
  async *follow(options: FollowEventsOptions = {}): AsyncGenerator<ReceivedEvent, void, void> {
    const cursor = options.cursor ?? (await latestCursor(options));
    const source = { path: "/events", query: queryOf(options), schema: receivedEventSchema };
    yield* followStream(resolveConnection(options), source, cursor);
  },
};

async function latestCursor(options: EventOptions): Promise<string> {
  const { sandboxId: _sandboxId, types: _types, ...connection } = options;
  return (await Events.list({ ...connection, order: "desc", limit: 1 })).cursor;
}

function queryOf({ sandboxId, types }: EventOptions): Record<string, string | undefined> {
  return { sandboxId, type: types?.join(",") };
}
