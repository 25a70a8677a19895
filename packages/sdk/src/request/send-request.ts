import { idempotencyKeyHeader } from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { FetchInit, FetchResponse } from "../platform/fetch.ts";
import { type ApiRequest, requestUrl } from "./api-request.ts";
import { delay, startDeadline } from "./deadline.ts";
import { networkFailure } from "./network-failure.ts";
import { type ResponseSchema, readError, readJson } from "./read-response.ts";

const defaultDeadlineSeconds = 300;
const retryDelayMilliseconds = 250;
/** The first start of a service prepares its guest image, which takes minutes where it is emulated. */
const startSecondsMax = 600;
const retryAfterSecondsMax = 30;
/** Statuses of a gateway or the service that has not carried out the request. */
const retriedStatuses = new Set([502, 503, 504]);

/** Sends a request and parses its JSON response. */
export function requestJson<Body>(
  connection: Connection,
  request: ApiRequest,
  schema: ResponseSchema<Body>,
): Promise<Body> {
  return sendRequest(connection, request, (response) => readJson(request, response, schema));
}

/** Sends a request whose response has no body. */
export async function requestNothing(connection: Connection, request: ApiRequest): Promise<void> {
  await sendRequest(connection, request, discardBody);
}

/**
 * Deletes an object. When the first response was lost and the second is 404,
 * the first request has deleted it.
 */
export async function requestDeletion(
  connection: Connection,
  request: ApiRequest & { method: "DELETE" },
): Promise<void> {
  await whileStarting(connection, request, async () => {
    let responseWasLost = false;
    try {
      return await attempt(connection, request, discardBody);
    } catch (error) {
      if (!isRetried(request, error)) throw error;
      responseWasLost = error instanceof OpenComputerError && error.status === undefined;
    }
    await delay(retryDelayMilliseconds, connection.signal);
    try {
      await attempt(connection, request, discardBody);
    } catch (error) {
      if (responseWasLost && error instanceof OpenComputerError && error.status === 404) return;
      throw error;
    }
  });
}

/**
 * Sends a request and hands its 2xx response to `read`. A request that may be
 * repeated is sent once more, 250 ms later, when the connection fails or the
 * status is 502, 503 or 504. Any request is sent again while the service
 * reports that it is starting, because it has then not acted.
 *
 * @throws {OpenComputerError} for every other response and every failure; the
 * reason of the caller's signal when that was aborted.
 */
export async function sendRequest<Result>(
  connection: Connection,
  request: ApiRequest,
  read: (response: FetchResponse) => Promise<Result>,
): Promise<Result> {
  return await whileStarting(connection, request, async () => {
    try {
      return await attempt(connection, request, read);
    } catch (error) {
      if (!isRetried(request, error)) throw error;
    }
    await delay(retryDelayMilliseconds, connection.signal);
    return await attempt(connection, request, read);
  });
}

/** Sends again for as long as the service is starting, and gives up after {@link startSecondsMax}. */
async function whileStarting<Result>(
  connection: Connection,
  request: ApiRequest,
  send: () => Promise<Result>,
): Promise<Result> {
  const giveUpAt = Date.now() + startSecondsMax * 1000;
  for (;;) {
    try {
      return await send();
    } catch (error) {
      const seconds = retryAfterSeconds(error);
      const isSpent = request.body?.kind === "stream";
      if (seconds === undefined || isSpent || Date.now() + seconds * 1000 > giveUpAt) throw error;
      if (error instanceof OpenComputerError) connection.onStarting?.(error.message);
      await delay(seconds * 1000, connection.signal);
    }
  }
}

/** When a service that is starting asks to be called again; undefined for every other error. */
function retryAfterSeconds(error: unknown): number | undefined {
  if (!(error instanceof OpenComputerError) || error.code !== "worker_unavailable")
    return undefined;
  const seconds: unknown = error.details?.["retryAfterSeconds"];
  if (typeof seconds !== "number" || !(seconds >= 0)) return undefined;
  return Math.min(seconds, retryAfterSecondsMax);
}

async function attempt<Result>(
  connection: Connection,
  request: ApiRequest,
  read: (response: FetchResponse) => Promise<Result>,
): Promise<Result> {
  const seconds =
    request.deadlineSeconds === undefined ? defaultDeadlineSeconds : request.deadlineSeconds;
  const url = requestUrl(connection.baseUrl, request);
  const init = fetchInit(connection, request);
  connection.signal?.throwIfAborted();
  const deadline = startDeadline(seconds, connection.signal);
  try {
    const response = await connection.fetch(url, { ...init, signal: deadline.signal });
    if (response.status >= 200 && response.status < 300) return await read(response);
    throw await readError(request, response);
  } catch (error) {
    connection.signal?.throwIfAborted();
    if (deadline.hasPassed()) {
      throw new OpenComputerError(
        "request_timed_out",
        `${request.method} ${request.path} had no response within ${seconds} s: ` +
          "the service at the API URL may hang; it may still carry the request out",
        { cause: error },
      );
    }
    if (error instanceof OpenComputerError) throw error;
    throw networkFailure(connection.baseUrl, request, error);
  } finally {
    deadline.release();
  }
}

async function discardBody(response: FetchResponse): Promise<void> {
  await response.arrayBuffer();
}

/** Whether a request is sent once more, shortly after this error. */
function isRetried(request: ApiRequest, error: unknown): boolean {
  const isKeyed = request.idempotencyKey !== undefined;
  const repeatable = request.idempotent ?? (request.method !== "POST" || isKeyed);
  if (!repeatable || request.body?.kind === "stream") return false;
  if (!(error instanceof OpenComputerError) || retryAfterSeconds(error) !== undefined) return false;
  return (
    error.code === "connection_failed" ||
    (error.status !== undefined && retriedStatuses.has(error.status))
  );
}

/**
 * Fetch, "HTTP-network-or-cache fetch": a request is sent as it is, not as a
 * clone, when its window is none and a redirect is an error. Node's fetch
 * clones a streamed body by keeping all of it in memory.
 */
function fetchInit(connection: Connection, request: ApiRequest): FetchInit {
  const headers: Record<string, string> = {
    "x-api-key": connection.apiKey,
    accept: request.accept ?? "application/json",
  };
  if (request.idempotencyKey !== undefined) headers[idempotencyKeyHeader] = request.idempotencyKey;
  const init: FetchInit = { method: request.method, headers, redirect: "manual" };
  const body = request.body;
  if (body === undefined) return init;
  headers["content-type"] = body.kind === "json" ? "application/json" : "application/octet-stream";
  if (body.kind === "json") return { ...init, body: JSON.stringify(body.value) };
  if (body.kind === "bytes") return { ...init, body: body.value };
  return { ...init, body: body.value, duplex: "half", redirect: "error", window: null };
}
