import { fstatSync, writeSync } from "node:fs";
import { errorCode } from "../logging/describe-error.ts";

const retryMilliseconds = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Opens the stream for audit lines, whose file descriptor this process was
 * started with, and returns the function that writes to it. Writes are
 * synchronous: all of the text is in the kernel's buffer when a call returns,
 * and a reader that does not read pauses the proxy instead of losing lines.
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
        // The process that opened the stream may have made it non-blocking.
        if (errorCode(error) !== "EAGAIN") throw error;
        Atomics.wait(sleeper, 0, 0, retryMilliseconds);
      }
    }
  };
}
