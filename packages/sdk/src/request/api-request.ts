import { OpenComputerError } from "../open-computer-error.ts";

/** One call of the HTTP API, independent of a connection. */
export interface ApiRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/api`, made with {@link apiPath}. */
  path: string;
  /** A list has its name once for each of its values. */
  query?: Record<string, string | readonly string[] | undefined>;
  body?: ApiRequestBody;
  /**
   * Whether carrying it out twice has the effect of once, so that it may be
   * sent again after a failure. Default: all but POST and streamed bodies.
   */
  idempotent?: boolean;
  /** Lets a POST be sent again: the service carries it out once. */
  idempotencyKey?: string | undefined;
  /** The media type of the response. Default JSON. */
  accept?: "text/event-stream";
  /** How long to wait for the response; null for no time-out. Default 300. */
  deadlineSeconds?: number | null;
}

export type ApiRequestBody =
  | { kind: "json"; value: unknown }
  | { kind: "bytes"; value: Uint8Array<ArrayBuffer> | Blob }
  | { kind: "stream"; value: ReadableStream<Uint8Array> };

/**
 * A path whose parameters stay within their segments.
 *
 * @throws {OpenComputerError} `invalid_request` for an empty parameter, `.` and `..`.
 */
export function apiPath(segments: TemplateStringsArray, ...parameters: string[]): string {
  return segments.reduce((path, segment, index) => {
    const parameter = parameters[index - 1] ?? "";
    if (parameter === "" || parameter === "." || parameter === "..") {
      throw new OpenComputerError(
        "invalid_request",
        `Cannot address ${path}…: expected an id or a name, got ${JSON.stringify(parameter)}`,
      );
    }
    return path + encodeURIComponent(parameter) + segment;
  });
}

/** Address of a request, with the query's absent entries left out. */
export function requestUrl(baseUrl: string, request: ApiRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    for (const one of typeof value === "string" ? [value] : (value ?? [])) query.append(name, one);
  }
  const text = query.toString();
  return `${baseUrl}${request.path}${text === "" ? "" : `?${text}`}`;
}
