import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import protobuf from "protobufjs";
import { z } from "zod";
import type { KeyPair } from "./certificates.ts";

/** A finished span, as an exporter sent it. */
export interface ReceivedSpan {
  /** `service.name` of the process. */
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for one that begins a trace. */
  readonly parentSpanId: string;
  readonly startedAtNanoseconds: bigint;
  readonly endedAtNanoseconds: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Whether its status is an error. */
  readonly isFailure: boolean;
}

/** How it responds: it takes spans, refuses them, or never responds. */
export type ReceiverMode = "takes" | "refuses" | "hangs";

/** What an operator's collector is for the service: it receives spans by OTLP over HTTP. */
export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Every request as it came: its path, headers and body. */
  readonly requests: readonly { path: string; headers: string; body: Buffer }[];
  mode: ReceiverMode;
  /** Waits for spans, and fails when they do not come. */
  until(condition: (spans: readonly ReceivedSpan[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

const untilMilliseconds = 60_000;

/** @param keyPair Of `localhost`, for a receiver that speaks TLS. */
export async function startOtlpReceiver(keyPair?: KeyPair): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; headers: string; body: Buffer }[] = [];
  const respond = (response: ServerResponse, mode: ReceiverMode): void => {
    if (mode === "takes") response.writeHead(200, { "content-type": contentType }).end();
    if (mode === "refuses") response.writeHead(403).end("not for you");
  };
  const listener: RequestListener = (request, response) => {
    buffer(request).then((body) => {
      requests.push({ path: request.url ?? "", headers: JSON.stringify(request.headers), body });
      if (receiver.mode === "takes") spans.push(...decodeSpans(body));
      respond(response, receiver.mode);
    }, response.destroy.bind(response));
  };
  const server =
    keyPair === undefined
      ? createServer(listener)
      : createTlsServer({ cert: keyPair.certificatePem, key: keyPair.privateKeyPem }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: OtlpReceiver = {
    url: keyPair === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    ...{ spans, requests, mode: "takes" },
    async until(condition) {
      const deadline = Date.now() + untilMilliseconds;
      while (!condition(spans)) {
        if (Date.now() > deadline) {
          const names = spans.map(({ service, name }) => `${service}: ${name}`);
          throw new Error(`The spans did not come; there are ${names.join("\n")}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

const contentType = "application/x-protobuf";

/** The part of opentelemetry/proto/collector/trace/v1 that tests look at. */
const exportRequest = protobuf
  .parse(
    `syntax = "proto3";
     message Request { repeated ResourceSpans resource_spans = 1; }
     message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
     message Resource { repeated KeyValue attributes = 1; }
     message ScopeSpans { repeated Span spans = 2; }
     message Span {
       bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5;
       fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
       repeated KeyValue attributes = 9; Status status = 15;
     }
     message Status { string message = 2; int32 code = 3; }
     message KeyValue { string key = 1; Value value = 2; }
     message Value { oneof value {
       string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
     } }`,
  )
  .root.lookupType("Request");

const attributesSchema = z
  .array(
    z.object({
      key: z.string(),
      value: z.object({
        stringValue: z.string().optional(),
        intValue: z.coerce.number().optional(),
        doubleValue: z.number().optional(),
      }),
    }),
  )
  .default([])
  .transform((pairs) =>
    Object.fromEntries(
      pairs.map(({ key, value: { stringValue, intValue, doubleValue } }) => [
        key,
        stringValue ?? intValue ?? doubleValue ?? "",
      ]),
    ),
  );
/** Bytes come as base64. */
const idSchema = z
  .string()
  .default("")
  .transform((text) => Buffer.from(text, "base64").toString("hex"));
const errorStatus = 2;
const requestSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: attributesSchema }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              name: z.string(),
              traceId: idSchema,
              spanId: idSchema,
              parentSpanId: idSchema,
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
              attributes: attributesSchema,
              status: z.object({ code: z.number().default(0) }).default({ code: 0 }),
            }),
          ),
        }),
      ),
    }),
  ),
});

function decodeSpans(body: Buffer): ReceivedSpan[] {
  const decoded = exportRequest.toObject(exportRequest.decode(body), {
    longs: String,
    bytes: String,
  });
  return requestSchema.parse(decoded).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ startTimeUnixNano, endTimeUnixNano, status, ...span }) => ({
        ...span,
        service: String(resource.attributes["service.name"]),
        startedAtNanoseconds: startTimeUnixNano,
        endedAtNanoseconds: endTimeUnixNano,
        isFailure: status.code === errorStatus,
      })),
    ),
  );
}
