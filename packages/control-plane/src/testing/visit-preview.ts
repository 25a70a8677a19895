import { type IncomingHttpHeaders, request } from "node:http";
import { text } from "node:stream/consumers";

export interface PreviewResponse {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  text: string;
  trailers: NodeJS.Dict<string>;
}

export interface Visit {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: string;
}

/** One request of a visitor, on a connection of its own, for any host. */
export function visitPreview(
  url: string,
  host: string,
  visit: Visit = {},
): Promise<PreviewResponse> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({
      hostname,
      port,
      agent: false,
      method: visit.method ?? "GET",
      path: visit.path ?? "/",
      headers: { host, ...visit.headers },
    });
    sent.once("response", (response) => {
      text(response).then(
        (body) =>
          resolve({
            status: response.statusCode,
            headers: response.headers,
            text: body,
            trailers: response.trailers,
          }),
        reject,
      );
    });
    sent.once("error", reject);
    sent.end(visit.body);
  });
}
