import { fstatSync, writeSync } from "node:fs";
import { errorCode } from "../describe-error.ts";

const retryMilliseconds = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Makes the function that writes to the stream which the starting process
 * opened for audit lines under this file descriptor. It writes synchronously:
 * all of the text is with the reader's kernel buffer when it returns, and a
 * reader that does not read pauses the proxy instead of costing lines.
 *
 * @throws when the descriptor is not open.
 */
export function openAuditStream(descriptor: number): (text: string) => void {
  try {
    fstatSync(descriptor);
  } catch (cause) {
    throw new Error(
      `OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: file descriptor ${descriptor} is not open`,
      { cause },
    );
  }
  return (text) => {
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(descriptor, bytes, written);
      } catch (error) {
        // Whoever opened the stream may have made it non-blocking.
        if (errorCode(error) !== "EAGAIN") throw error;
        Atomics.wait(sleeper, 0, 0, retryMilliseconds);
      }
    }
  };
}
