import type { Duplex } from "node:stream";
import type { BodySink } from "../../http/body-sink.ts";
import { connectionOptions } from "../../http/hop-by-hop.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { Framing, ResponseHead } from "../../http/message-heads.ts";
import type { OutgoingRequestHead } from "../../http/outgoing-heads.ts";
import { BodyReader } from "../../http1/body-reader.ts";
import { BodyWriter } from "../../http1/body-writer.ts";
import { ByteChannel, type ByteChannelHooks } from "../../http1/byte-channel.ts";
import { readHead, takeHead } from "../../http1/head-reader.ts";
import { responseFraming } from "../../http1/message-framing.ts";
import { parseResponseHead } from "../../http1/response-head.ts";
import { requestHeadText } from "../../http1/write-heads.ts";
import type { UpstreamConnection, UpstreamSide } from "./upstream-side.ts";

/** A connection over HTTP/1.1, which carries one exchange after the other. */
export class Http1Connection implements UpstreamConnection {
  readonly takesWebSockets = true;
  readonly #channel: ByteChannel;

  constructor(socket: Duplex, onActivity: () => void) {
    this.#channel = new ByteChannel(socket, { onActivity, onClosed: ignoreClose });
  }

  /** Replaces who is notified of what happens on it. */
  attach(hooks: Partial<ByteChannelHooks> & Pick<ByteChannelHooks, "onActivity">): void {
    this.#channel.attach({ onClosed: ignoreClose, ...hooks });
  }

  get quiet(): boolean {
    return this.#channel.quiet;
  }

  exchange(): UpstreamSide {
    return new Http1Upstream(this.#channel);
  }

  destroy(): void {
    this.#channel.destroy();
  }
}

/** A closed upstream is noticed when it is read from or leased. */
function ignoreClose(): void {
  // Nothing has to be done at this moment.
}

export class Http1Upstream implements UpstreamSide {
  readonly #channel: ByteChannel;
  readonly #receivedBefore: number;
  #body: IncomingBody | undefined;
  #persists = false;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
    this.#receivedBefore = channel.received;
  }

  get writable(): boolean {
    return this.#channel.writable;
  }

  get hasResponded(): boolean {
    return this.#channel.received !== this.#receivedBefore;
  }

  get mayContinue(): boolean {
    return this.#persists && this.#body?.complete === true && this.#channel.quiet;
  }

  sendBodiless(head: OutgoingRequestHead, declaresEmptyBody: boolean): void {
    const framing = declaresEmptyBody ? "Content-Length: 0\r\n" : "";
    this.#channel.write(`${requestHeadText(head)}${framing}\r\n`);
  }

  sendWhole(head: OutgoingRequestHead, body: readonly Buffer[], bodyBytes: number): void {
    const text = `${requestHeadText(head)}Content-Length: ${bodyBytes}\r\n\r\n`;
    this.#channel.write(Buffer.concat([Buffer.from(text, "latin1"), ...body]));
  }

  begin(
    head: OutgoingRequestHead,
    {
      length,
      expect,
    }: { readonly length: number | undefined; readonly expect: string | undefined },
  ): BodySink {
    this.#channel.write(
      requestHeadText(head) +
        (expect === undefined ? "" : `Expect: ${expect}\r\n`) +
        (length === undefined ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`) +
        "\r\n\r\n",
    );
    return new BodyWriter(this.#channel, length === undefined ? "chunked" : "raw");
  }

  async readHead(redact: (head: Buffer) => Buffer): Promise<ResponseHead | null> {
    await this.#channel.readable();
    const bytes = takeHead(this.#channel) ?? (await readHead(this.#channel));
    return bytes === null ? null : parseResponseHead(redact(bytes));
  }

  readBody(
    head: ResponseHead,
    requestMethod: string,
    readTrailerLine: (line: string) => string,
  ): { readonly framing: Framing; readonly body: IncomingBody } {
    const framing = responseFraming(head, requestMethod);
    this.#persists =
      head.minorVersion === 1 &&
      framing.kind !== "until_close" &&
      !connectionOptions(head.fields).has("close");
    const body = new BodyReader(this.#channel, framing, readTrailerLine);
    this.#body = body;
    return { framing, body };
  }

  switchProtocols(): ByteChannel {
    return this.#channel;
  }

  destroy(): void {
    this.#channel.destroy();
  }
}
