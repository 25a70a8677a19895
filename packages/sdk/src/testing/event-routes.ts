import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import {
  type EventContent,
  type EventRecord,
  eventPageSchema,
  eventRecordSchema,
  followEventsHeadersSchema,
  listEventsQuerySchema,
  WireError,
} from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";

const streamsMax = 64;

/** Events of the contract server, whose cursors count them. */
export interface EventState {
  routes: Route[];
  add(sandboxId: string | null, content: EventContent): EventRecord;
  /** Ends the streams, as a restart of the service does. */
  dropStreams(): void;
}

export function createEventRoutes(onEvent: (event: EventRecord) => void): EventState {
  const events: EventRecord[] = [];
  const streams = new Map<ServerResponse, (event: EventRecord) => void>();
  const numberOf = (cursor: string) => Number(cursor.split("-")[1]);

  function chosenBy(query: ReturnType<typeof readQuery>) {
    const { sandboxId, type = [], since, until } = query;
    return (event: EventRecord) =>
      (sandboxId === undefined || event.sandboxId === sandboxId) &&
      (type.length === 0 || type.includes(event.type)) &&
      (since === undefined || event.time >= since) &&
      (until === undefined || event.time < until);
  }

  function follow(exchange: Exchange, query: ReturnType<typeof readQuery>): void {
    const { request, response } = exchange;
    if (streams.size >= streamsMax) throw new WireError("too_many_requests", "Too many streams");
    const headers = parseOrRefuse(followEventsHeadersSchema, request.headers);
    const cursor = headers["last-event-id"] ?? query.cursor ?? `1-${events.length}`;
    const isChosen = chosenBy(query);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": open\n\n");
    const send = (event: EventRecord) => {
      if (!isChosen(event) || numberOf(event.cursor) <= numberOf(cursor)) return;
      const value = eventRecordSchema.parse(event);
      response.write(`id: ${event.cursor}\ndata: ${JSON.stringify(value)}\n\n`);
    };
    for (const event of events) send(event);
    streams.set(response, send);
    response.once("close", () => streams.delete(response));
  }

  return {
    add(sandboxId, content) {
      const event: EventRecord = {
        ...{ id: randomUUID(), cursor: `1-${events.length + 1}`, nodeId: "c0ffee00", sandboxId },
        ...{ time: new Date().toISOString(), ...content },
      };
      events.push(event);
      for (const send of streams.values()) send(event);
      onEvent(event);
      return event;
    },

    dropStreams() {
      for (const response of streams.keys()) response.end();
      streams.clear();
    },

    routes: [
      {
        method: "GET",
        path: "/events",
        async handle(exchange) {
          const query = readQuery(exchange);
          if (exchange.request.headers.accept === "text/event-stream") {
            follow(exchange, query);
            return;
          }
          const { cursor, order = "asc", limit = 100 } = query;
          const ordered = order === "asc" ? events : events.toReversed();
          const isAfter = ({ cursor: own }: EventRecord) =>
            cursor === undefined ||
            (order === "asc" ? numberOf(own) > numberOf(cursor) : numberOf(own) < numberOf(cursor));
          const found = ordered.filter((event) => isAfter(event) && chosenBy(query)(event));
          const shown = found.slice(0, limit);
          await exchange.respond(200, eventPageSchema, {
            events: shown,
            cursor: shown.at(-1)?.cursor ?? cursor ?? "0-0",
            hasMore: found.length > limit,
          });
        },
      },
    ],
  };
}

function readQuery({ query }: Exchange) {
  return parseOrRefuse(listEventsQuerySchema, Object.fromEntries(query));
}
