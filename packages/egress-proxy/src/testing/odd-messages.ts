import { brotliCompressSync, gzipSync } from "node:zlib";
import { tokenOf } from "./http-policy.ts";
import {
  dataFrame,
  type FieldList,
  frameFlags,
  frameOf,
  frameTypes,
  headersFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./http2-frames.ts";
import type { SeededRandom } from "./seeded-random.ts";

const token = tokenOf("a");
/** The value of the secret whose token is in the messages. */
export const oddValue = "sk-Q7v2mX9Lp4ZtW8cKdR3";

const names = [
  ...["x-a", "etag", "date", "age", "from", "set-cookie", "location", "content-type", "priority"],
  ...["http2-settings", "trailer", "te", "host", "content-length", "grpc-status", "__proto__"],
];
const connectionNames = ["Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding"];
const values = ["1", "", oddValue, token, "%41", "\t", "0"];
const bodies = [
  ...[Buffer.from("hello"), Buffer.from(oddValue), Buffer.from(`{"x":"${token}"}`)],
  ...[gzipSync(`{"x":"${token}"}`), gzipSync(oddValue), brotliCompressSync(oddValue)],
  ...[Buffer.alloc(16_000, "y"), Buffer.from([0, 0, 0, 0, 5]), Buffer.from([1, 0, 0, 0, 5])],
];

/** What one side sends, as likely wrong as right. */
export interface OddMessages {
  /** A message of HTTP/1.1 with its body and trailers. */
  http1Request(): Buffer;
  http1Response(): Buffer;
  /** The head of a request on a stream. */
  requestHead(stream: number): Buffer;
  responseHead(stream: number): Buffer;
  /** Any frame of HTTP/2. */
  frame(stream: number): Buffer;
}

export function createOddMessages(random: SeededRandom): OddMessages {
  const { below, pick } = random;
  const odds = <Item>(one: number, item: Item): Item[] => (below(one) === 0 ? [item] : []);
  const field = (): [string, string] => [pick(names), pick(values)];
  const fields = (count: number): FieldList => Array.from({ length: below(count + 1) }, field);
  const lines = (list: FieldList): string => list.map(([name, v]) => `${name}: ${v}\r\n`).join("");

  function http1Body(head: string): Buffer {
    const body = pick(bodies).toString("latin1");
    const size = below(6) === 0 ? "no size" : body.length.toString(16);
    const trailers = [...fields(3), ...odds(2, [pick(connectionNames), "x"] as const)];
    return Buffer.from(
      pick([
        `${head}\r\n`,
        `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
        `${head}Transfer-Encoding: chunked\r\n\r\n${size}\r\n${body}\r\n0\r\n${lines(trailers)}\r\n`,
      ]),
      "latin1",
    );
  }

  return {
    http1Request() {
      const line = `${pick(["GET", "POST", "PUT", "HEAD"])} ${pick(["/", `/a?k=${token}`])} HTTP/1.1`;
      const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n";
      const more = [
        ...odds(3, "Content-Encoding: gzip\r\n"),
        ...odds(3, "Content-Type: application/json\r\n"),
        ...odds(5, "Expect: 100-continue\r\n"),
        ...odds(6, upgrade),
      ];
      return http1Body(`${line}\r\nHost: api.example.com\r\n${more.join("")}`);
    },

    http1Response() {
      const status = pick(["200", "200", "204", "304", "101", "103", "206", "999"]);
      const switched = status === "101" ? "Upgrade: websocket\r\nConnection: Upgrade\r\n" : "";
      return http1Body(`HTTP/1.1 ${status} A\r\n${lines(fields(3))}${switched}`);
    },

    requestHead(stream) {
      const list: FieldList = [
        [":method", pick(["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"])],
        ...([
          [":scheme", "https"],
          [":authority", "api.example.com"],
        ] as const),
        [":path", pick(["/", `/a?k=${token}`, "*"])],
        ...odds(6, [":protocol", "websocket"] as const),
        ...odds(3, ["content-type", pick(["application/json", "application/grpc"])] as const),
        ...odds(4, ["content-encoding", pick(["gzip", "br", "zstd", "x"])] as const),
        ...odds(4, ["content-length", pick(["0", "5", "100000"])] as const),
        ...odds(4, ["authorization", `Bearer ${token}`] as const),
        ...odds(6, ["expect", "100-continue"] as const),
      ];
      return headersFrame(stream, list, pick([0, frameFlags.endStream]));
    },

    responseHead(stream) {
      const status = pick(["200", "200", "200", "204", "304", "103", "206", "500", "101", "700"]);
      const list: FieldList = [
        [":status", status],
        ...fields(3),
        ...odds(4, ["content-encoding", pick(["gzip", "br", "none", "x"])] as const),
        ...odds(3, ["content-type", pick(["application/grpc", "text/event-stream"])] as const),
      ];
      return headersFrame(stream, list, below(4) === 0 ? frameFlags.endStream : 0);
    },

    frame(stream) {
      const setting = pick([1, 2, 3, 4, 5, 6, 8]);
      const goaway = Buffer.from([0, 0, 0, pick([0, 1, 255]), 0, 0, 0, below(3)]);
      const make = pick([
        () => dataFrame(stream, pick(bodies), below(3) === 0 ? frameFlags.endStream : 0),
        () => headersFrame(stream, fields(3), frameFlags.endStream),
        () => resetFrame(stream, below(14)),
        () => frameOf(frameTypes.goaway, {}, goaway),
        () => settingsFrame([[setting, pick([0, 1, 100, 16_384, 65_535, 2 ** 31 - 1])]]),
        () => windowUpdateFrame(pick([0, stream]), 1 + below(70_000)),
        () => frameOf(below(14), { stream, flags: below(256) }, random.bytes(below(40))),
      ]);
      return make();
    },
  };
}
