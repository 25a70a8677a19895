import type { Readable } from "node:stream";
import { traceHeaders } from "@opencomputer/process";
import {
  type ErrorCode,
  errorBodySchema,
  isErrorCode,
  parseJson,
  WireError,
} from "@opencomputer/protocol/api";
import { type Dispatcher, errors, Pool } from "undici";
import type { z } from "zod";

/** Longest response that is held in memory: two streams of output, each byte escaped in JSON. */
const responseBytesMax = 2 * 32 * 1024 * 1024 * 6 + 64 * 1024;

export interface WireRequest {
  method: "GET" | "PUT" | "POST" | "DELETE";
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Besides those of the body. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** For the whole exchange. */
  timeoutMilliseconds: number;
  signal?: AbortSignal;
}

export interface StreamedResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}

/** Thrown when the peer does not run: nothing reached it, and it holds nothing. */
export class PeerAbsentError extends WireError {}

/**
 * Speaks HTTP with another process of the product over a Unix socket, by kept-alive
 * connections. A response is an error body or is parsed; both ends use the shapes
 * of `protocol`.
 *
 * Every method throws a {@link WireError}: the peer's own, a
 * {@link PeerAbsentError} when it does not run, `unavailable` when it did not
 * respond, `outcome_unknown` when it was lost after it may have acted on a POST.
 * Each request carries the trace that it belongs to.
 */
export interface UnixSocketClient {
  /** Returns the parsed response of a 2xx. */
  request<Schema extends z.ZodType>(request: WireRequest, schema: Schema): Promise<z.infer<Schema>>;
  /** For responses whose body is not needed. */
  send(request: WireRequest): Promise<void>;
  /** Sends and receives bytes, with back-pressure and without a limit in size or time. */
  stream(request: {
    method: "GET" | "PUT" | "POST";
    path: string;
    body?: Readable;
    headers?: Record<string, string>;
    signal: AbortSignal;
  }): Promise<StreamedResponse>;
  close(): Promise<void>;
}

export function createUnixSocketClient(options: {
  socketPath: string;
  /** For messages, such as `worker`. */
  peer: string;
  unavailable: Extract<ErrorCode, "worker_unavailable" | "egress_proxy_unavailable">;
  /**
   * False for a peer that holds secret values: of its errors only the code is
   * passed on, and a request that it refuses is our fault, not the caller's,
   * unless it is one that another has overtaken.
   */
  quotesErrors: boolean;
}): UnixSocketClient {
  const { peer, unavailable, quotesErrors } = options;
  // Each request has its own time-out: a command may be silent for hours.
  const pool = new Pool("http://localhost", {
    socketPath: options.socketPath,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 60_000,
  });

  async function exchange(request: WireRequest): Promise<{ text: string; path: string }> {
    const timeout = AbortSignal.timeout(request.timeoutMilliseconds);
    const signal =
      request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    try {
      const response = await pool.request({
        method: request.method,
        path: request.path,
        signal,
        headers: {
          ...traceHeaders(),
          ...request.headers,
          ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      });
      const text = await readText(response.body);
      if (response.statusCode >= 200 && response.statusCode < 300) {
        return { text, path: request.path };
      }
      throw errorFrom(text, response.statusCode);
    } catch (error) {
      throw toWireError(error, request.method, timeout.aborted);
    }
  }

  function errorFrom(text: string, status: number): WireError {
    const error = parseErrorBody(text);
    if (error === undefined) {
      return new WireError("internal_error", `The ${peer} responded with ${status} and no reason`);
    }
    if (quotesErrors) return error;
    const { code } = error;
    const isOwnFault = status < 500 && code !== "stale_session" && status !== 404;
    return new WireError(
      isOwnFault ? "internal_error" : code,
      `The ${peer} responded with ${status} ${code}`,
    );
  }

  function toWireError(error: unknown, method: string, timedOut: boolean): unknown {
    if (error instanceof WireError) return error;
    if (isConnectFailure(error)) {
      return new PeerAbsentError(
        unavailable,
        `The ${peer} is not running; it is being restarted: try again soon`,
        {
          cause: error,
        },
      );
    }
    const what = timedOut ? "did not respond in time" : "was lost before it responded";
    return new WireError(
      method === "POST" ? "outcome_unknown" : unavailable,
      method === "POST"
        ? `The ${peer} ${what}: the request may or may not have taken effect`
        : `The ${peer} ${what}; try again`,
      { cause: error },
    );
  }

  return {
    async request(request, schema) {
      const { text, path } = await exchange(request);
      const parsed = schema.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw new WireError(
        "internal_error",
        `The ${peer}'s response to ${request.method} ${withoutQuery(path)} is malformed at ${issue?.path.join(".") || "its root"}`,
      );
    },

    async send(request) {
      await exchange(request);
    },

    async stream({ method, path, body, headers, signal }) {
      try {
        const response = await pool.request({
          method,
          path,
          signal,
          headers: { ...traceHeaders(), ...headers },
          ...(body === undefined ? {} : { body }),
        });
        if (response.statusCode >= 200 && response.statusCode < 300) {
          return { status: response.statusCode, headers: response.headers, body: response.body };
        }
        throw errorFrom(await readText(response.body), response.statusCode);
      } catch (error) {
        throw toWireError(error, method, false);
      }
    },

    close: () => pool.destroy(),
  };
}

async function readText(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    byteCount += bytes.length;
    if (byteCount > responseBytesMax) {
      throw new Error(`The response has more than ${responseBytesMax} bytes, the maximum`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function isConnectFailure(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  return (
    error instanceof Error &&
    "code" in error &&
    "syscall" in error &&
    error.syscall === "connect" &&
    (error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "EACCES")
  );
}

function withoutQuery(path: string): string {
  return path.split("?", 1)[0] ?? path;
}

/** The error that a peer responded with; `undefined` when its body is no error body. */
export function parseErrorBody(text: string): WireError | undefined {
  const body = errorBodySchema.safeParse(parseJson(text));
  if (!body.success || !isErrorCode(body.data.code)) return undefined;
  const { error, code, remediation, details } = body.data;
  return new WireError(code, error, { remediation, details });
}
