import type { IncomingHttpHeaders, RequestListener, ServerResponse } from "node:http";

export interface RecordedRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** An upstream that records what it receives and responds by `respond`, by default with `ok`. */
export function recordingUpstream(
  respond: (response: ServerResponse, request: RecordedRequest) => void = (response) =>
    response.end("ok"),
): { readonly requests: RecordedRequest[]; readonly listener: RequestListener } {
  const requests: RecordedRequest[] = [];
  return {
    requests,
    listener(request, response) {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const recorded: RecordedRequest = {
          method: request.method,
          url: request.url,
          httpVersion: request.httpVersion,
          headers: request.headers,
          rawHeaders: request.rawHeaders,
          trailers: request.trailers,
          body: Buffer.concat(parts).toString("utf8"),
        };
        requests.push(recorded);
        respond(response, recorded);
      });
    },
  };
}
