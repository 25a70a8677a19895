import { parseJson } from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { ApiRequest } from "./api-request.ts";
import { delay } from "./deadline.ts";
import { readEvents, unexpectedEvent } from "./read-events.ts";
import type { ResponseSchema } from "./read-response.ts";
import { sendRequest } from "./send-request.ts";

const reconnectMilliseconds = 1_000;
/** A service responds at once, and sends something every 15 s. */
const silenceSecondsMax = 60;

/** What an event stream is read from, and what each of its events is. */
export interface StreamSource<Item> {
  path: string;
  query: Record<string, string | undefined>;
  schema: ResponseSchema<Item>;
}

/**
 * The items of an event stream after a cursor, as they come. Once a connection was
 * made, one that is lost is made again, after the last item.
 */
export async function* followStream<Item extends { cursor: string }>(
  connection: Connection,
  { path, query, schema }: StreamSource<Item>,
  cursor: string,
): AsyncGenerator<Item, void, void> {
  let last = cursor;
  let wasConnected = false;
  for (;;) {
    try {
      const request = streamRequest(path, { ...query, cursor: last });
      const response = await sendRequest(connection, request, async (opened) => opened);
      wasConnected = true;
      for await (const { data } of readEvents(response, silenceSecondsMax)) {
        const event = schema.safeParse(parseJson(data));
        if (!event.success) throw unexpectedEvent(request, response, event.error);
        last = event.data.cursor;
        yield event.data;
      }
    } catch (error) {
      connection.signal?.throwIfAborted();
      if (!wasConnected || !isTemporary(error)) throw error;
    }
    await delay(reconnectMilliseconds, connection.signal);
  }
}

function streamRequest(path: string, query: Record<string, string | undefined>): ApiRequest {
  const stream = { accept: "text/event-stream", deadlineSeconds: silenceSecondsMax } as const;
  return { method: "GET", path, query, ...stream };
}

/** Whether a new connection may do; what breaks a stream off is an error of the platform. */
function isTemporary(error: unknown): boolean {
  if (!(error instanceof OpenComputerError)) return true;
  const { code, status = 0 } = error;
  return code === "connection_failed" || code === "request_timed_out" || status >= 500;
}
