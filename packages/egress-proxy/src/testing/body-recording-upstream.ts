import type { IncomingHttpHeaders, RequestListener } from "node:http";

export interface RecordedBody {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * An upstream that records the bytes of bodies. As storage services do, it
 * responds to a body without a length with 501 if `needsLength`.
 */
export function bodyRecordingUpstream(options: { needsLength?: boolean } = {}): {
  readonly requests: RecordedBody[];
  readonly listener: RequestListener;
} {
  const requests: RecordedBody[] = [];
  return {
    requests,
    listener(request, response) {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { headers } = request;
        requests.push({ headers, body: Buffer.concat(parts) });
        const isRefused = options.needsLength === true && headers["content-length"] === undefined;
        response.writeHead(isRefused ? 501 : 200).end();
      });
    },
  };
}
