import { serviceLimits } from "@opencomputer/protocol/wire";

/** How often bytes of heads and bodies count: frames of a few bytes, and acknowledgements, go with them. */
const carriedWeight = 2;

/** Calls `check` of what it is given about once a second, until the returned function is called. */
export interface OverheadChecks {
  check(overhead: FrameOverhead): () => void;
}

/**
 * Bounds what arrives on a connection over HTTP/2 and carries nothing: PING,
 * SETTINGS, WINDOW_UPDATE, padding, empty frames, heads of streams that are
 * refused. `node:http2` bounds what most of these make it keep; what it costs to read
 * them has this bound. Heads and bodies, in both directions, earn what belongs to them.
 */
export class FrameOverhead {
  readonly #socket: object;
  readonly #onExceeded: () => void;
  #received: number;
  #allowedBytes: number = serviceLimits.http2OverheadBytesMax;
  #since: number;

  /** `now` is on the monotonic clock, in milliseconds. `onExceeded` is called when the bound is. */
  constructor(
    socket: object,
    { now, onExceeded }: { readonly now: number; readonly onExceeded: () => void },
  ) {
    this.#socket = socket;
    this.#onExceeded = onExceeded;
    this.#received = bytesReadFrom(socket);
    this.#since = now;
  }

  /** Counts bytes of a head or a body, which arrived or were sent. */
  carry(bytes: number): void {
    this.#allowedBytes += carriedWeight * bytes;
  }

  /** Counts what may be under way on a stream that nobody reads any more. */
  abandon(windowBytes: number): void {
    this.#allowedBytes += windowBytes;
  }

  /** Compares what has arrived since the last check with what was allowed. */
  check(now: number): void {
    const received = bytesReadFrom(this.#socket);
    const seconds = (now - this.#since) / 1000;
    this.#allowedBytes += seconds * serviceLimits.http2OverheadBytesPerSecond;
    this.#allowedBytes -= received - this.#received;
    this.#received = received;
    this.#since = now;
    if (this.#allowedBytes < 0) this.#onExceeded();
    this.#allowedBytes = Math.min(this.#allowedBytes, serviceLimits.http2OverheadBytesMax);
  }
}

/** What a socket has read; 0 for another stream, which does not count it. */
function bytesReadFrom(socket: object): number {
  return "bytesRead" in socket && typeof socket.bytesRead === "number" ? socket.bytesRead : 0;
}
