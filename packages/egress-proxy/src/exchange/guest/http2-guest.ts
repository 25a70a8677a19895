import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from "node:http2";
import type { BodySink } from "../../http/body-sink.ts";
import { ChannelLostError } from "../../http/channel-lost-error.ts";
import { type IncomingBody, noBody } from "../../http/incoming-body.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import { webSocketAccept } from "../../http/web-socket-key.ts";
import { ByteChannel } from "../../http1/byte-channel.ts";
import { declaredLength } from "../../http2/declared-length.ts";
import type { FrameOverhead } from "../../http2/frame-overhead.ts";
import { headBytes, headText } from "../../http2/head-text.ts";
import { readFields } from "../../http2/read-fields.ts";
import { isExtendedConnect, readRequestHead } from "../../http2/request-head.ts";
import { StreamReader, watchEnd } from "../../http2/stream-reader.ts";
import { StreamWriter } from "../../http2/stream-writer.ts";
import { headersOf, pushFields } from "../../http2/write-fields.ts";
import type { ConnectionHooks, GuestSide } from "./guest-side.ts";

/** A body that is sent without waiting for the guest to take it. */
const unblockedBodyBytesMax = 16 * 1024;

/** As over HTTP/1.1, a response has no field that its sender did not give it. */
const asReceived: ServerStreamResponseOptions & { readonly sendDate: boolean } = {
  sendDate: false,
};

/** One stream of a guest's connection over HTTP/2. */
export class Http2Guest implements GuestSide {
  readonly opensTunnel: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #raw: readonly string[];
  readonly #overhead: FrameOverhead;
  readonly #hooks: ConnectionHooks;
  readonly #hasEnded: () => boolean;
  #reader: StreamReader | undefined;
  #rawTrailers: readonly string[] = [];
  #isHeadRequest = false;

  constructor(
    stream: ServerHttp2Stream,
    raw: readonly string[],
    overhead: FrameOverhead,
    hooks: ConnectionHooks,
  ) {
    this.#stream = stream;
    this.#raw = raw;
    this.opensTunnel = isExtendedConnect(raw);
    this.#overhead = overhead;
    this.#hooks = hooks;
    this.#hasEnded = watchEnd(stream);
    stream.on("aborted", hooks.onClosed);
    stream.on("close", hooks.onClosed);
    // They may arrive together with the head, before the body is read.
    stream.on("trailers", (_headers, _flags, rawTrailers: readonly string[] = []) => {
      overhead.carry(headBytes(rawTrailers));
      this.#rawTrailers = rawTrailers;
    });
  }

  get writable(): boolean {
    return !this.#stream.aborted && !this.#stream.destroyed;
  }

  async readHead(watch: (head: Buffer) => void): Promise<RequestHead> {
    const text = headText(this.#raw);
    this.#overhead.carry(text.length);
    watch(text);
    const head = readRequestHead(this.#raw, "https");
    this.#isHeadRequest = head.method === "HEAD";
    return head;
  }

  readBody(head: RequestHead): { readonly framing: Framing; readonly body: IncomingBody } {
    // What follows belongs to the protocol that is switched to.
    if (this.opensTunnel) return { framing: { kind: "none" }, body: noBody };
    const length = declaredLength(head.fields);
    const isEmpty = this.#stream.endAfterHeaders || length === 0;
    // The end may have arrived together with the head.
    const endedWithHead = !isEmpty && this.#stream.state.remoteClose === 1;
    this.#reader = new StreamReader(this.#stream, {
      isEmpty,
      onActivity: this.#hooks.onActivity,
      overhead: this.#overhead,
      hasEnded: () => endedWithHead || this.#hasEnded(),
      readTrailers: () => readFields(this.#rawTrailers).fields,
    });
    const framing: Framing = isEmpty
      ? { kind: "none" }
      : length === undefined
        ? { kind: "chunked" }
        : { kind: "length", length };
    return { framing, body: this.#reader };
  }

  stopReading(message: string): void {
    this.#reader?.fail(new ChannelLostError(message));
  }

  sendContinue(): void {
    if (this.#isOpen) this.#stream.additionalHeaders({ ":status": 100 });
  }

  sendInterim(head: OutgoingResponseHead): undefined {
    if (this.#isOpen)
      this.#stream.additionalHeaders({ ...headersOf(head.fields), ":status": head.status });
    return undefined;
  }

  sendBodiless(head: OutgoingResponseHead): void {
    if (!this.#isOpen) return;
    // The end of the stream states that there is no body: only a response to HEAD has another length to declare.
    const declares = this.#isHeadRequest || head.status === 304;
    this.#stream.respond(headersFor(head, declares), { ...asReceived, endStream: true });
  }

  sendWhole(head: OutgoingResponseHead, body: Buffer): Promise<void> | undefined {
    if (!this.#isOpen) return undefined;
    if (body.length <= unblockedBodyBytesMax) {
      this.#stream.respond(headersFor(head, true), asReceived);
      this.#stream.end(body);
      this.#overhead.carry(body.length);
      return undefined;
    }
    const sink = this.begin(head);
    const blocked = sink.write(body);
    sink.end([]);
    return blocked;
  }

  begin(head: OutgoingResponseHead): BodySink {
    if (this.#isOpen) {
      this.#stream.respond(headersFor(head, true), { ...asReceived, waitForTrailers: true });
    }
    return new StreamWriter(this.#stream, this.#overhead, this.#hooks.onActivity);
  }

  switchProtocols(head: OutgoingResponseHead): ByteChannel {
    const fields = head.fields.filter(({ lowerName }) => lowerName !== webSocketAccept);
    if (this.#isOpen) {
      this.#stream.respond(headersFor({ ...head, status: 200, fields }, false), asReceived);
    }
    return new ByteChannel(this.#stream, {
      onActivity: this.#hooks.onActivity,
      onClosed: ignore,
      onPassed: (bytes) => this.#overhead.carry(bytes),
    });
  }

  destroy(): void {
    this.reset();
  }

  /** A stream that is closed before its end was written would end cleanly: it is destroyed. */
  reset(): void {
    if (this.#stream.writableEnded) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else this.#stream.destroy(new ChannelLostError("the response is broken off"));
  }

  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

function headersFor(head: OutgoingResponseHead, declaresLength: boolean): string[] {
  const headers = [":status", String(head.status)];
  pushFields(headers, head.fields);
  if (declaresLength && head.contentLength !== undefined) {
    headers.push("content-length", head.contentLength);
  }
  return headers;
}

function ignore(): void {
  // The stream's own listeners are notified.
}
