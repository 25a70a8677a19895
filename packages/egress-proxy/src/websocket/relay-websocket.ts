import type { ByteChannel } from "../http1/byte-channel.ts";
import { encodeProtocolErrorClose } from "./encode-frame.ts";
import type { MessageTransform } from "./frame.ts";
import { type MessageKind, WebSocketProtocolError } from "./frame.ts";
import { FrameRewriter } from "./frame-rewriter.ts";
import { MaskingKeys } from "./mask.ts";

/** What was relayed, by the side that it came from and went to. */
export interface RelayedCounts {
  fromGuest: number;
  toGuest: number;
}

/** What the relay applies to messages, and where it counts. */
export interface WebSocketHooks {
  /** Creates the transform of a message that the guest sends. */
  fromGuest(kind: MessageKind): MessageTransform;
  /**
   * Creates the transform of a message to the guest; also called with "text"
   * for each ping, pong and close reason.
   */
  toGuest(kind: MessageKind): MessageTransform;
  /**
   * Called before so many bytes are handled, with the number of messages and control frames that
   * were handled since the last call. What it returns is waited for.
   */
  takeTurn(bytes: number, messages: number): Promise<void> | undefined;
  /** Called when a side has closed or ended, so that the other one is expected to. */
  onClosing(): void;
  /** Bytes that have arrived from each side, with frame headers; kept up to date. */
  readonly bytes: RelayedCounts;
  /** Messages that have begun to arrive; kept up to date. */
  readonly messages: RelayedCounts;
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
  const { bytes, messages } = hooks;
  const fromGuest: Direction = {
    from: guest,
    to: upstream,
    rewriter: new FrameRewriter("guest", {
      message(kind) {
        messages.fromGuest += 1;
        fromGuest.frames += 1;
        return hooks.fromGuest(kind);
      },
    }),
    hasClosed: false,
    frames: 0,
    count(arrived) {
      bytes.fromGuest += arrived;
    },
  };
  const fromUpstream: Direction = {
    from: upstream,
    to: guest,
    rewriter: new FrameRewriter("upstream", {
      message(kind) {
        messages.toGuest += 1;
        fromUpstream.frames += 1;
        return hooks.toGuest(kind);
      },
      control() {
        fromUpstream.frames += 1;
        return hooks.toGuest("text");
      },
    }),
    hasClosed: false,
    frames: 0,
    count(arrived) {
      bytes.toGuest += arrived;
    },
  };
  const relay: Relay = { isOver: false };
  try {
    await new Promise<void>((resolve, reject) => {
      const onClosed = () => {
        hooks.onClosing();
        if (fromGuest.hasClosed && fromUpstream.hasClosed) resolve();
      };
      const passing = [fromGuest, fromUpstream].map((one) => pass(one, relay, hooks, onClosed));
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
  /** Whether its close frame was sent. */
  hasClosed: boolean;
  /** Messages and control frames of the present piece that are transformed. */
  frames: number;
  count(arrived: number): void;
}

interface Relay {
  /** Whether nothing more is written: both closed, or one broke a rule or was lost. */
  isOver: boolean;
}

/** What is handled without a break where messages are so short that each costs more than its bytes. */
const pieceBytesMax = 4 * 1024;
const shortMessageBytes = 256;

async function pass(
  direction: Direction,
  relay: Relay,
  { takeTurn }: WebSocketHooks,
  onClosed: () => void,
): Promise<void> {
  const { from, to, rewriter } = direction;
  let hasShortMessages = false;
  for (;;) {
    const arrived = await from.read();
    if (relay.isOver) return;
    if (arrived === null) break;
    direction.count(arrived.length);
    const bytesMax = hasShortMessages ? pieceBytesMax : arrived.length;
    for (let at = 0; at < arrived.length; at += bytesMax) {
      const piece = arrived.subarray(at, at + bytesMax);
      const turn = takeTurn(piece.length, direction.frames);
      if (turn !== undefined) await turn;
      direction.frames = 0;
      if (relay.isOver) return;
      for (const frames of rewriter.push(piece)) {
        const blocked = to.write(frames);
        if (blocked !== undefined) await blocked;
        if (relay.isOver) return;
      }
      hasShortMessages = direction.frames * shortMessageBytes > piece.length;
    }
    if (rewriter.closed && !direction.hasClosed) {
      direction.hasClosed = true;
      onClosed();
    }
  }
  to.end();
  onClosed();
}

function sendProtocolErrorClose(
  { to, rewriter }: Direction,
  rule: string,
  isMasked: boolean,
): void {
  if (!rewriter.closed)
    to.write(encodeProtocolErrorClose(rule, isMasked ? new MaskingKeys() : undefined));
  to.end();
}
