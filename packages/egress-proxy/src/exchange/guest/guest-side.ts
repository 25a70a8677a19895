import type { BodySink } from "../../http/body-sink.ts";
import { fieldValues } from "../../http/fields.ts";
import type { IncomingBody } from "../../http/incoming-body.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import type { ByteChannel } from "../../http1/byte-channel.ts";

/**
 * The guest's side of an exchange: where its request comes from and its response
 * goes. What is written is lost once `writable` is false.
 */
export interface GuestSide {
  /** Whether the guest can still be sent something. */
  readonly writable: boolean;
  /**
   * Whether the guest takes any success for a switch of protocols, and leaves the
   * check of the handshake to the proxy, as over HTTP/2 (RFC 8441 §5).
   */
  readonly opensTunnel: boolean;
  /**
   * Resolves to the head of the request. `watch` is shown its bytes before they are parsed.
   *
   * @throws {HttpSyntaxError}
   * @throws {ChannelLostError}
   */
  readHead(watch: (head: Buffer) => void): Promise<RequestHead>;
  /** @throws {HttpSyntaxError} for framing that can be read in two ways */
  readBody(head: RequestHead): { readonly framing: Framing; readonly body: IncomingBody };
  /** Makes the pending read, and each later one that finds nothing, fail. */
  stopReading(message: string): void;
  /** Tells a guest that expects it to send its body (RFC 9110 §10.1.1). */
  sendContinue(): void;
  sendInterim(head: OutgoingResponseHead): Promise<void> | undefined;
  /** Sends a response that has no body. */
  sendBodiless(head: OutgoingResponseHead): void;
  /** Sends a response at once; returns a promise when the caller has to wait before it sends more. */
  sendWhole(head: OutgoingResponseHead, body: Buffer): Promise<void> | undefined;
  /** Sends the head of a response and returns where its body goes. */
  begin(head: OutgoingResponseHead): BodySink;
  /** Sends a response that ends HTTP on this connection, and returns the bytes that follow. */
  switchProtocols(head: OutgoingResponseHead): ByteChannel;
  /** Gives the exchange up, because the guest has. */
  destroy(): void;
  /** Breaks the response off in a way that the guest cannot take for its end. */
  reset(): void;
}

/** What a guest's side reports. */
export interface ConnectionHooks {
  /** Called whenever something moves. */
  onActivity(): void;
  /** Called once, when the guest's side is closed. */
  onClosed(): void;
}

/** `Expect` of a request; undefined for one of HTTP/1.0, whose clients expect nothing (RFC 9110 §10.1.1). */
export function expectOf({ minorVersion, fields }: RequestHead): string | undefined {
  return minorVersion === 1 ? fieldValues(fields, "expect")[0] : undefined;
}

/** Sends `100 Continue` to a guest that waits for it, because the upstream receives the head only later. */
export function askForBody(guest: GuestSide, expect: string | undefined): void {
  if (expect?.toLowerCase() === "100-continue") guest.sendContinue();
}
