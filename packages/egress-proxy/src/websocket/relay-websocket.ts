import type { ByteChannel } from "../http1/byte-channel.ts";
import { encodeProtocolErrorClose } from "./encode-frame.ts";
import { type MessageKind, WebSocketProtocolError } from "./frame.ts";
import { FrameRewriter } from "./frame-rewriter.ts";
import type { MessageTransform } from "./message-transform.ts";

export interface RelayedBytes {
  fromGuest: number;
  toGuest: number;
}

export interface WebSocketHooks {
  /** Makes the transform of a message that the guest sends. */
  fromGuest(kind: MessageKind): MessageTransform;
  /**
   * Makes the transform of a message to the guest, and with "text" that of
   * one ping, pong or close reason.
   */
  toGuest(kind: MessageKind): MessageTransform;
  /** What has arrived from each side, frame headers included; kept up to date. */
  readonly bytes: RelayedBytes;
}

/**
 * Relays the frames of a WebSocket both ways, until both sides have closed or
 * ended, or one is lost. Control frames of the guest pass unchanged.
 *
 * What follows a close frame is dropped. After close frames in both directions
 * both channels are ended, and the caller closes them. When a frame breaks a
 * rule, close code 1002 goes to each side that has no close frame yet, both
 * are ended, and the caller closes them. What a transform holds back when a
 * connection ends inside a message is never sent.
 *
 * @throws {ChannelLostError}
 * @throws {WebSocketProtocolError}
 */
export async function relayWebSocket(
  guest: ByteChannel,
  upstream: ByteChannel,
  hooks: WebSocketHooks,
): Promise<void> {
  const { bytes } = hooks;
  const fromGuest: Direction = {
    from: guest,
    to: upstream,
    rewriter: new FrameRewriter("guest", { message: (kind) => hooks.fromGuest(kind) }),
    hasClosed: false,
    count(arrived) {
      bytes.fromGuest += arrived;
    },
  };
  const fromUpstream: Direction = {
    from: upstream,
    to: guest,
    rewriter: new FrameRewriter("upstream", {
      message: (kind) => hooks.toGuest(kind),
      control: () => hooks.toGuest("text"),
    }),
    hasClosed: false,
    count(arrived) {
      bytes.toGuest += arrived;
    },
  };
  const relay: Relay = { isOver: false };
  try {
    await new Promise<void>((resolve, reject) => {
      const onClosed = () => {
        if (fromGuest.hasClosed && fromUpstream.hasClosed) resolve();
      };
      const passing = [pass(fromGuest, relay, onClosed), pass(fromUpstream, relay, onClosed)];
      Promise.all(passing).then(() => resolve(), reject);
    });
  } catch (error) {
    if (error instanceof WebSocketProtocolError) {
      sendProtocolErrorClose(fromGuest, error.rule, true);
      sendProtocolErrorClose(fromUpstream, error.rule, false);
    }
    throw error;
  } finally {
    relay.isOver = true;
  }
  guest.end();
  upstream.end();
}

interface Direction {
  readonly from: ByteChannel;
  readonly to: ByteChannel;
  readonly rewriter: FrameRewriter;
  /** Its close frame has left. */
  hasClosed: boolean;
  count(arrived: number): void;
}

interface Relay {
  /** Nothing more is written: both closed, or one broke a rule or was lost. */
  isOver: boolean;
}

async function pass(direction: Direction, relay: Relay, onClosed: () => void): Promise<void> {
  const { from, to, rewriter } = direction;
  for (;;) {
    const arrived = await from.read();
    if (relay.isOver) return;
    if (arrived === null) break;
    direction.count(arrived.length);
    for (const frames of rewriter.push(arrived)) {
      const blocked = to.write(frames);
      if (blocked !== undefined) await blocked;
      if (relay.isOver) return;
    }
    if (rewriter.closed && !direction.hasClosed) {
      direction.hasClosed = true;
      onClosed();
    }
  }
  to.end();
}

function sendProtocolErrorClose(
  { to, rewriter }: Direction,
  rule: string,
  isMasked: boolean,
): void {
  if (!rewriter.closed) to.write(encodeProtocolErrorClose(rule, isMasked));
  to.end();
}
