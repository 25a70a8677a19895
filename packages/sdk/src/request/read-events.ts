import {
  type BuildLogEvent,
  buildLogEventSchema,
  errorBodySchema,
  errorStatuses,
  isErrorCode,
  parseJson,
} from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { FetchResponse } from "../platform/fetch.ts";
import type { ApiRequest } from "./api-request.ts";
import { type ResponseSchema, readJson } from "./read-response.ts";
import { sendRequest } from "./send-request.ts";

/**
 * Sends a request whose response consists of events: the log of a build, then
 * its result. There is no time-out: the service keeps the connection alive.
 */
export async function requestWithLog<Body>(
  connection: Connection,
  request: ApiRequest,
  schema: ResponseSchema<Body>,
  onBuildLog: ((event: BuildLogEvent) => void) | undefined,
): Promise<Body> {
  const withEvents = { ...request, accept: "text/event-stream", deadlineSeconds: null } as const;
  return await sendRequest(connection, withEvents, async (response) => {
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream")) return await readJson(request, response, schema);
    for await (const { name, data } of readEvents(response)) {
      const value = parseJson(data);
      if (name === "build_log") {
        const event = buildLogEventSchema.safeParse(value);
        if (event.success) onBuildLog?.(event.data);
      }
      if (name === "result") {
        const parsed = schema.safeParse(value);
        if (parsed.success) return parsed.data;
        throw unexpectedEvent(request, response, parsed.error);
      }
      if (name === "error") throw errorFrom(request, response, value);
    }
    throw new OpenComputerError(
      "connection_failed",
      `The connection to OpenComputer at ${connection.baseUrl} ended during ${request.method} ${request.path}: it may have been carried out; check before you repeat it`,
    );
  });
}

/** The error of an `error` event, with the status that it has as a plain response. */
function errorFrom(request: ApiRequest, response: FetchResponse, value: unknown): unknown {
  const body = errorBodySchema.partial({ code: true }).safeParse(value);
  if (!body.success) return unexpectedEvent(request, response, body.error);
  const { error, code = "image_build_failed", remediation, details } = body.data;
  const status = isErrorCode(code) ? errorStatuses[code] : undefined;
  return new OpenComputerError(code, error, { status, remediation, details });
}

/** The error for an event that does not follow the protocol. */
export function unexpectedEvent(request: ApiRequest, response: FetchResponse, cause: unknown) {
  return new OpenComputerError(
    "unexpected_response",
    `The response to ${request.method} ${request.path} has an event that this SDK cannot read: use the SDK of the service's version`,
    { status: response.status, cause },
  );
}

interface ServerSentEvent {
  name: string;
  data: string;
}

/**
 * The events of a response, as HTML, section 9.2.6, defines them, without reconnection.
 * They end when nothing, not even a comment, has come for `silenceSecondsMax`.
 */
export async function* readEvents(
  response: FetchResponse,
  silenceSecondsMax = Number.POSITIVE_INFINITY,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let name = "message";
  let data: string[] = [];
  let rest = "";
  try {
    for (;;) {
      const part = await withSilenceLimit(reader, silenceSecondsMax);
      if (part === undefined || part.done) return;
      const lines = (rest + decoder.decode(part.value, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { name, data: data.join("\n") };
          name = "message";
          data = [];
          continue;
        }
        const { field = "", value = "" } =
          /^(?<field>[^:]*)(?:: ?(?<value>.*))?$/s.exec(line)?.groups ?? {};
        if (field === "event") name = value;
        if (field === "data") data.push(value);
      }
    }
  } finally {
    await reader?.cancel();
  }
}

/** The next bytes of a body; none when they do not come in time. */
async function withSilenceLimit(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  secondsMax: number,
): Promise<{ done: boolean; value?: Uint8Array | undefined } | undefined> {
  if (secondsMax === Number.POSITIVE_INFINITY) return reader?.read();
  // A read that is under way ends as if the body did.
  const timer = setTimeout(() => void reader?.cancel().catch(() => undefined), secondsMax * 1000);
  try {
    return await reader?.read();
  } finally {
    clearTimeout(timer);
  }
}
