import type { Readable } from "node:stream";
import { WireError } from "@opencomputer/protocol/api";

/** A number of bytes in memory that the responses of all guests share. */
export interface ByteBudget {
  /** The part of one guest. */
  openShare(): BudgetShare;
}

/** What the responses of one guest hold of a budget. */
export interface BudgetShare {
  /**
   * Begins to hold bytes for one response.
   *
   * @param revoke Called when another guest needs the bytes and this one holds
   * the most of all: they are free from then on, and the response is to be dropped.
   */
  hold(revoke: () => void): HeldBytes;
}

/** The bytes of one response. */
export interface HeldBytes {
  /** Takes more bytes; returns false, and takes none, when none are left for this guest. */
  take(byteCount: number): boolean;
  /** Frees all of them. Idempotent. */
  release(): void;
}

interface Holding {
  bytes: number;
  readonly revoke: () => void;
}
interface Share {
  bytes: number;
  readonly holdings: Set<Holding>;
}

/**
 * Creates a budget of which no guest can keep the others out: where none is left,
 * the guest that holds the most loses its largest response to one that would hold less.
 */
export function createByteBudget(bytesMax: number): ByteBudget {
  let taken = 0;
  /** Shares that hold something. */
  const shares = new Set<Share>();

  function free(share: Share, holding: Holding): void {
    if (!share.holdings.delete(holding)) return;
    share.bytes -= holding.bytes;
    taken -= holding.bytes;
    if (share.holdings.size === 0) shares.delete(share);
  }

  /** Returns whether anything was revoked for a share that is to hold so much. */
  function revokeLargest(byteCount: number): boolean {
    const share = largestOf(shares);
    const holding = largestOf(share?.holdings ?? []);
    if (share === undefined || holding === undefined || share.bytes <= byteCount) return false;
    free(share, holding);
    holding.revoke();
    return true;
  }

  return {
    openShare() {
      const share: Share = { bytes: 0, holdings: new Set() };
      return {
        hold(revoke) {
          const holding: Holding = { bytes: 0, revoke };
          share.holdings.add(holding);
          shares.add(share);
          return {
            take(byteCount) {
              if (!share.holdings.has(holding) || share.bytes + byteCount > bytesMax) return false;
              while (taken + byteCount > bytesMax) {
                if (!revokeLargest(share.bytes + byteCount)) return false;
              }
              holding.bytes += byteCount;
              share.bytes += byteCount;
              taken += byteCount;
              return true;
            },
            release: () => free(share, holding),
          };
        },
      };
    },
  };
}

function largestOf<Sized extends { bytes: number }>(all: Iterable<Sized>): Sized | undefined {
  let largest: Sized | undefined;
  for (const one of all) {
    if (largest === undefined || one.bytes > largest.bytes) largest = one;
  }
  return largest;
}

/** A response that was dropped because the responses of all guests had no more room. */
export class ResponseDroppedError extends WireError {
  constructor() {
    super(
      "too_many_requests",
      "Too much output of sandboxes is being received at once: write the output to a file, or try again later",
    );
  }
}

/**
 * Reads a guest's whole response as text. The responses of all guests share a budget, so
 * that many guests together cannot exhaust the memory of their worker.
 *
 * @throws {WireError} `guest_failed` for a response over `bytesMax`; a
 * {@link ResponseDroppedError} when the budget is used up. The stream is destroyed.
 */
export async function readBounded(
  stream: Readable,
  options: { bytesMax: number; share: BudgetShare },
): Promise<string> {
  const { bytesMax, share } = options;
  const chunks: Buffer[] = [];
  let byteCount = 0;
  const held = share.hold(() => stream.destroy(new ResponseDroppedError()));
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      if (byteCount + bytes.length > bytesMax) {
        throw new WireError(
          "guest_failed",
          `The agent in the sandbox sent a response of more than ${bytesMax} bytes, the maximum`,
        );
      }
      if (!held.take(bytes.length)) throw new ResponseDroppedError();
      byteCount += bytes.length;
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    held.release();
  }
}

/**
 * Runs work with a signal that is aborted when the time is over, or when one of
 * the other signals is. The timer keeps its signal alive: one of
 * `AbortSignal.timeout` to which only `AbortSignal.any` refers may be garbage
 * collected before it fires, and the work would then never end.
 */
export async function withDeadline<Result>(
  milliseconds: number,
  others: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException("The operation took too long", "TimeoutError")),
    milliseconds,
  );
  try {
    return await work(AbortSignal.any([deadline.signal, ...others]));
  } finally {
    clearTimeout(timer);
  }
}
