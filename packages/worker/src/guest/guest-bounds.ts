import type { Readable } from "node:stream";
import { WireError } from "@opencomputer/protocol/api";

/** A number of bytes in memory that several readers share. */
export interface ByteBudget {
  /** Takes a number of bytes; returns false, and takes none, when fewer are left. */
  take(byteCount: number): boolean;
  giveBack(byteCount: number): void;
}

export function createByteBudget(bytesMax: number): ByteBudget {
  let taken = 0;
  return {
    take(byteCount) {
      if (taken + byteCount > bytesMax) return false;
      taken += byteCount;
      return true;
    },
    giveBack(byteCount) {
      taken -= byteCount;
    },
  };
}

/**
 * Reads a guest's whole response as text. All responses share the budget, so
 * that many guests together cannot exhaust the memory of their worker.
 *
 * @throws {WireError} `guest_failed` for a response over `bytesMax`;
 * `too_many_requests` when the budget is used up. The stream is destroyed.
 */
export async function readBounded(
  stream: Readable,
  options: { bytesMax: number; budget: ByteBudget },
): Promise<string> {
  const { bytesMax, budget } = options;
  const chunks: Buffer[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      if (byteCount + bytes.length > bytesMax) {
        throw new WireError(
          "guest_failed",
          `The agent in the sandbox sent a response of more than ${bytesMax} bytes, the maximum`,
        );
      }
      if (!budget.take(bytes.length)) {
        throw new WireError(
          "too_many_requests",
          "Too much output of sandboxes is being received at once: try again, or write the output to a file",
        );
      }
      byteCount += bytes.length;
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    budget.giveBack(byteCount);
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
