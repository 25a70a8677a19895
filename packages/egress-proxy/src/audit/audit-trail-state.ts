import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { parseJson } from "@opencomputer/protocol/api";
import { auditTrailStateSchema } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";

/**
 * Follows the state of the audit trail, which the reader of the audit stream
 * writes back on the same descriptor. Until it reports otherwise, and when the
 * descriptor cannot be read, the audit trail counts as writable.
 *
 * @returns A function that returns whether it is writable now.
 */
export function followAuditTrailState(descriptor: number, log: Logger): () => boolean {
  let isWritable = true;
  const socket = new Socket({ fd: descriptor, readable: true, writable: false });
  socket.on("error", (error) => log.warn({ err: error }, "the audit stream cannot be read"));
  createInterface({ input: socket }).on("line", (line) => {
    const state = auditTrailStateSchema.safeParse(parseJson(line)).data;
    if (state === undefined) {
      log.error(
        "the reader of the audit stream sent something other than a state of the audit trail",
      );
    } else if (state.isWritable !== isWritable) {
      isWritable = state.isWritable;
      log.warn(
        { isWritable },
        isWritable
          ? "the audit trail can be written again: requests are served"
          : "the audit trail cannot be written: new requests are refused until it can",
      );
    }
  });
  socket.unref();
  return () => isWritable;
}
