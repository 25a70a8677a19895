import type { BodySink } from "../../http/body-sink.ts";
import { HttpSyntaxError } from "../../http/http-syntax-error.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import { BodyReader } from "../../http1/body-reader.ts";
import { BodyWriter } from "../../http1/body-writer.ts";
import type { ByteChannel } from "../../http1/byte-channel.ts";
import { readHead, takeHead } from "../../http1/head-reader.ts";
import { requestFraming } from "../../http1/message-framing.ts";
import { parseRequestHead } from "../../http1/request-head.ts";
import { responseHeadText } from "../../http1/write-heads.ts";
import type { GuestSide } from "./guest-side.ts";

const shortBodyBytesMax = 4096;

/** A guest's connection over HTTP/1.1 or HTTP/1.0. */
export class Http1Guest implements GuestSide {
  readonly channel: ByteChannel;
  readonly opensTunnel = false;

  constructor(channel: ByteChannel) {
    this.channel = channel;
  }

  get writable(): boolean {
    return this.channel.writable;
  }

  async readHead(watch: (head: Buffer) => void): Promise<RequestHead> {
    const bytes = takeHead(this.channel) ?? (await readHead(this.channel));
    if (bytes === null) {
      throw new HttpSyntaxError("truncated", "the connection ended inside a head");
    }
    watch(bytes);
    return parseRequestHead(bytes);
  }

  readBody(head: RequestHead): { readonly framing: Framing; readonly body: IncomingBody } {
    const framing = requestFraming(head);
    return { framing, body: new BodyReader(this.channel, framing) };
  }

  stopReading(message: string): void {
    this.channel.stopReading(message);
  }

  sendContinue(): void {
    this.channel.write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  sendInterim(head: OutgoingResponseHead): Promise<void> | undefined {
    return this.channel.write(responseHeadText(head));
  }

  sendBodiless(head: OutgoingResponseHead): void {
    this.channel.write(responseHeadText(head));
  }

  sendWhole(head: OutgoingResponseHead, body: Buffer): Promise<void> | undefined {
    const text = responseHeadText(head);
    // One string is cheaper than a copy for short bodies.
    return body.length <= shortBodyBytesMax
      ? this.channel.write(text + body.toString("latin1"))
      : this.channel.write(Buffer.concat([Buffer.from(text, "latin1"), body]));
  }

  begin(head: OutgoingResponseHead): BodySink {
    this.channel.corkForThisTurn();
    this.channel.write(responseHeadText(head));
    return new BodyWriter(this.channel, head.chunked ? "chunked" : "raw");
  }

  switchProtocols(head: OutgoingResponseHead): ByteChannel {
    this.channel.write(responseHeadText(head));
    return this.channel;
  }

  destroy(): void {
    this.channel.destroy();
  }

  reset(): void {
    this.channel.reset();
  }
}
