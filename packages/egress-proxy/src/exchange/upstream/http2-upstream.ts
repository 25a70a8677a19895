import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { BodySink } from "../../http/body-sink.ts";
import { ChannelLostError } from "../../http/channel-lost-error.ts";
import { fieldValues } from "../../http/fields.ts";
import { type IncomingBody, joined } from "../../http/incoming-body.ts";
import type { Framing, ResponseHead } from "../../http/message-heads.ts";
import { type OutgoingRequestHead, opensWebSocket } from "../../http/outgoing-heads.ts";
import { acceptOf, webSocketKey } from "../../http/web-socket-key.ts";
import { ByteChannel } from "../../http1/byte-channel.ts";
import { declaredLength } from "../../http2/declared-length.ts";
import type { FrameOverhead } from "../../http2/frame-overhead.ts";
import { headBytes } from "../../http2/head-text.ts";
import { StreamReader, watchEnd } from "../../http2/stream-reader.ts";
import { StreamWriter } from "../../http2/stream-writer.ts";
import { readResponseHead, readTrailers, requestHeaders, switchedHead } from "./http2-heads.ts";
import type { UnendedStreams } from "./unended-streams.ts";
import type { UpstreamSide } from "./upstream-side.ts";

function ignoreClose(): void {
  // The stream fails, and reports it.
}

interface PendingHead {
  resolve(raw: readonly string[] | null): void;
  reject(error: unknown): void;
}

/** One stream of a connection over HTTP/2. */
export class Http2Upstream implements UpstreamSide {
  readonly #session: ClientHttp2Session;
  readonly #overhead: FrameOverhead;
  readonly #onActivity: () => void;
  readonly #unended: UnendedStreams;
  #stream: ClientHttp2Stream | undefined;
  #heads: (readonly string[])[] = [];
  #headBytes = 0;
  #rawTrailers: readonly string[] = [];
  #pending: PendingHead | undefined;
  #isClosed = false;
  #cause: unknown;
  #body: IncomingBody | undefined;
  #hasResponded = false;
  #endsWithHead = false;
  #hasEnded: () => boolean = () => false;
  /** What a handshake over HTTP/1.1 has for it; undefined for a request that opens no WebSocket. */
  #accept: string | undefined;
  #isSwitched = false;

  constructor(
    session: ClientHttp2Session,
    overhead: FrameOverhead,
    onActivity: () => void,
    unended: UnendedStreams,
  ) {
    this.#session = session;
    this.#overhead = overhead;
    this.#onActivity = onActivity;
    this.#unended = unended;
  }

  get writable(): boolean {
    const stream = this.#stream;
    return stream !== undefined && !stream.destroyed && !stream.aborted;
  }

  get hasResponded(): boolean {
    return this.#hasResponded;
  }

  get mayContinue(): boolean {
    return this.#body?.complete === true;
  }

  sendBodiless(head: OutgoingRequestHead, declaresEmptyBody: boolean): void {
    if (opensWebSocket(head)) {
      this.#accept = acceptOf(fieldValues(head.fields, webSocketKey)[0] ?? "");
      this.#open(head, undefined, { endStream: false });
      return;
    }
    this.#open(head, declaresEmptyBody ? 0 : undefined, { endStream: true });
  }

  sendWhole(head: OutgoingRequestHead, body: readonly Buffer[], bodyBytes: number): void {
    const stream = this.#open(head, bodyBytes, { endStream: false });
    stream.end(joined(body));
    this.#overhead.carry(bodyBytes);
  }

  begin(
    head: OutgoingRequestHead,
    {
      length,
      expect,
    }: { readonly length: number | undefined; readonly expect: string | undefined },
  ): BodySink {
    const stream = this.#open(head, length, { endStream: false, waitForTrailers: true }, expect);
    return new StreamWriter(stream, this.#overhead, this.#onActivity);
  }

  async readHead(redact: (head: Buffer) => Buffer): Promise<ResponseHead | null> {
    const raw = this.#takeHead() ?? (await this.#nextHead());
    if (raw === null) return null;
    const head = readResponseHead(raw, redact);
    return this.#accept === undefined ? head : switchedHead(head, this.#accept);
  }

  readBody(
    head: ResponseHead,
    requestMethod: string,
    readTrailerLine: (line: string) => string,
  ): { readonly framing: Framing; readonly body: IncomingBody } {
    const stream = this.#stream;
    if (stream === undefined) throw new Error("a response was read before a request was sent");
    const length = declaredLength(head.fields);
    const hasNone =
      this.#endsWithHead || requestMethod === "HEAD" || head.status === 204 || head.status === 304;
    const isEmpty = hasNone || length === 0;
    this.#body = new StreamReader(stream, {
      isEmpty,
      onActivity: this.#onActivity,
      overhead: this.#overhead,
      hasEnded: this.#hasEnded,
      readTrailers: () => readTrailers(this.#rawTrailers, readTrailerLine),
    });
    if (isEmpty && !this.#endsWithHead) this.#unended.add(stream);
    let framing: Framing = { kind: "none" };
    if (!isEmpty) framing = length === undefined ? { kind: "chunked" } : { kind: "length", length };
    return { framing, body: this.#body };
  }

  switchProtocols(): ByteChannel {
    if (this.#stream === undefined) throw new Error("no request was sent");
    this.#isSwitched = true;
    return new ByteChannel(this.#stream, {
      onActivity: this.#onActivity,
      onClosed: ignoreClose,
      onPassed: (bytes) => this.#overhead.carry(bytes),
    });
  }

  /** A stream that is closed before its end was written would end cleanly: it is destroyed. */
  destroy(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.destroyed) return;
    if (stream.writableEnded) {
      // Without an error, what was written is sent before the stream closes.
      const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;
      stream.close(this.#isSwitched ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    } else stream.destroy(new ChannelLostError("the exchange was abandoned"));
  }

  #open(
    head: OutgoingRequestHead,
    contentLength: number | undefined,
    options: { readonly endStream: boolean; readonly waitForTrailers?: boolean },
    expect?: string,
  ): ClientHttp2Stream {
    const headers = requestHeaders(head, contentLength, expect);
    const stream = this.#request(headers, options);
    this.#stream = stream;
    this.#hasEnded = watchEnd(stream);
    stream.on("headers", (_headers, _flags, raw: readonly string[]) => this.#arrive(raw));
    stream.on("response", (_headers, flags, raw: readonly string[]) => {
      this.#endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      this.#arrive(raw);
    });
    // They may arrive together with the head, before the body is read.
    stream.on("trailers", (_headers, _flags, raw: readonly string[] = []) => {
      this.#overhead.carry(headBytes(raw));
      this.#rawTrailers = raw;
    });
    stream.on("error", (cause) => this.#fail(cause));
    stream.on("close", () => {
      if (!this.mayContinue) this.#overhead.abandon(serviceLimits.http2UpstreamWindowBytes);
      this.#fail();
    });
    return stream;
  }

  #request(
    headers: readonly string[],
    options: { readonly endStream: boolean; readonly waitForTrailers?: boolean },
  ): ClientHttp2Stream {
    try {
      return this.#session.request(headers, options);
    } catch (cause) {
      throw new ChannelLostError("the upstream's connection accepts no further stream", { cause });
    }
  }

  #arrive(raw: readonly string[]): void {
    this.#onActivity();
    this.#hasResponded = true;
    const bytes = headBytes(raw);
    this.#overhead.carry(bytes);
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) {
      pending.resolve(raw);
      return;
    }
    this.#headBytes += bytes;
    // Interim heads have no flow control; the guest may not read those that are passed on.
    if (this.#heads.length > 0 && this.#headBytes > serviceLimits.httpHeadBytesMax) {
      this.#stream?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    } else this.#heads.push(raw);
  }

  #takeHead(): readonly string[] | undefined {
    const raw = this.#heads.shift();
    if (raw !== undefined) this.#headBytes -= headBytes(raw);
    return raw;
  }

  #nextHead(): Promise<readonly string[] | null> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(closedStream(this.#cause));
      else this.#pending = { resolve, reject };
    });
  }

  #fail(cause?: unknown): void {
    this.#isClosed = true;
    this.#cause ??= cause;
    // An error is not made for each stream: it is expensive.
    this.#pending?.reject(closedStream(this.#cause));
    this.#pending = undefined;
  }
}

function closedStream(cause: unknown): ChannelLostError {
  return new ChannelLostError(
    "the upstream closed the stream",
    cause === undefined ? undefined : { cause },
  );
}
