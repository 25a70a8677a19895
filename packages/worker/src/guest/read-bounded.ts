import type { Readable } from "node:stream";
import { WireError } from "@opencomputer/protocol";
import type { ByteBudget } from "./byte-budget.ts";

/**
 * All of a guest's answer as text. The budget is what all answers may hold
 * together, so that many guests cannot exhaust their worker.
 *
 * @throws {WireError} `guest_failed` for an answer over `bytesMax`;
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
      const octets = Buffer.from(chunk);
      if (byteCount + octets.length > bytesMax) {
        throw new WireError("guest_failed", `The sandbox answered with over ${bytesMax} octets`);
      }
      if (!budget.take(octets.length)) {
        throw new WireError(
          "too_many_requests",
          "Too much output of sandboxes is being received at once: try again, or write it to a file",
        );
      }
      byteCount += octets.length;
      chunks.push(octets);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    budget.giveBack(byteCount);
  }
}
