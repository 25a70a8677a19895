import {
  type BuildLogEvent,
  buildLogEventSchema,
  errorBodySchema,
  errorStatuses,
  isErrorCode,
} from "@opencomputer/protocol";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { FetchResponse } from "../platform/fetch.ts";
import { type AnswerSchema, readJson } from "./answer.ts";
import type { ApiRequest } from "./api-request.ts";
import { parseJson } from "./parse-json.ts";
import { sendRequest } from "./send-request.ts";

/**
 * Sends a request whose answer comes as events: the log of a build, and at
 * last its result. It may take as long as it takes; the connection is kept
 * alive by the service.
 */
export async function requestWithLog<Answer>(
  connection: Connection,
  request: ApiRequest,
  schema: AnswerSchema<Answer>,
  onBuildLog: ((event: BuildLogEvent) => void) | undefined,
): Promise<Answer> {
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
        throw unexpected(request, response, parsed.error);
      }
      if (name === "error") throw errorFrom(request, response, value);
    }
    throw new OpenComputerError(
      "connection_failed",
      `The connection to OpenComputer at ${connection.baseUrl} ended during ${request.method} ${request.path}: it may have been carried out; look before you repeat it`,
    );
  });
}

/** The status is the one that the same error has without events. */
function errorFrom(request: ApiRequest, response: FetchResponse, value: unknown): unknown {
  const body = errorBodySchema.partial({ code: true }).safeParse(value);
  if (!body.success) return unexpected(request, response, body.error);
  const { error, code = "image_build_failed", details } = body.data;
  const status = isErrorCode(code) ? errorStatuses[code] : undefined;
  return new OpenComputerError(code, error, { status, details });
}

function unexpected(request: ApiRequest, response: FetchResponse, cause: unknown) {
  return new OpenComputerError(
    "unexpected_response",
    `${request.method} ${request.path} was answered with an event that this SDK does not know: is the service of this SDK's version?`,
    { status: response.status, cause },
  );
}

interface ServerSentEvent {
  name: string;
  data: string;
}

/** The events of an answer. HTML, section 9.2.6, without what reconnecting needs. */
async function* readEvents(response: FetchResponse): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let name = "message";
  let data: string[] = [];
  let rest = "";
  try {
    for (;;) {
      const part = await reader?.read();
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
