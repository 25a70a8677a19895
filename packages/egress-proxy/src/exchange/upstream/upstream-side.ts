import type { BodySink } from "../../http/body-sink.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { Framing, ResponseHead } from "../../http/message-heads.ts";
import type { OutgoingRequestHead } from "../../http/outgoing-heads.ts";
import type { ByteChannel } from "../../http1/byte-channel.ts";

/** The upstream's side of one exchange: where the request goes and its response comes from. */
export interface UpstreamSide {
  /** Whether the upstream can still be sent something. */
  readonly writable: boolean;
  /** Whether anything of a response has arrived. */
  readonly hasResponded: boolean;
  /** Whether the connection may carry another exchange, now that the response was read. */
  readonly mayContinue: boolean;
  /** Sends a request without a body. */
  sendBodiless(head: OutgoingRequestHead, declaresEmptyBody: boolean): void;
  /** Sends a request with a short body at once. */
  sendWhole(head: OutgoingRequestHead, body: readonly Buffer[], bodyBytes: number): void;
  /** Sends the head of a request and returns where its body goes; its length is undefined when unknown. */
  begin(
    head: OutgoingRequestHead,
    body: { readonly length: number | undefined; readonly expect: string | undefined },
  ): BodySink;
  /**
   * Resolves to the next head, interim ones included; null when the upstream ended.
   * `redact` is applied to its bytes before they are parsed.
   *
   * @throws {HttpSyntaxError}
   * @throws {ChannelLostError}
   */
  readHead(redact: (head: Buffer) => Buffer): Promise<ResponseHead | null>;
  /**
   * Returns the body that follows the final head. `readTrailerLine` sees each
   * line of a trailer section before it is parsed, and may change it.
   *
   * @throws {HttpSyntaxError} for framing that can be read in two ways
   */
  readBody(
    head: ResponseHead,
    requestMethod: string,
    readTrailerLine: (line: string) => string,
  ): { readonly framing: Framing; readonly body: IncomingBody };
  /** Returns the bytes that follow a response that ended HTTP on this connection. */
  switchProtocols(): ByteChannel;
  /** Gives the exchange up. */
  destroy(): void;
}

/** A connection to an upstream, which carries exchanges. */
export interface UpstreamConnection {
  /** Whether it is fit for another exchange. */
  readonly quiet: boolean;
  /** Whether an exchange may open a WebSocket. */
  readonly takesWebSockets: boolean;
  /** Begins an exchange. */
  exchange(): UpstreamSide;
  destroy(): void;
}
