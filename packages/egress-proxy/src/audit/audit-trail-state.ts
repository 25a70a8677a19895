import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { auditTrailStateSchema } from "@opencomputer/protocol";
import type { Logger } from "pino";

/**
 * Follows what the reader of the audit stream writes back on the same
 * descriptor. Until it says otherwise, and when the descriptor is none that
 * can be read, the audit trail takes lines.
 *
 * @returns Whether it does at this moment.
 */
export function followAuditTrailState(descriptor: number, log: Logger): () => boolean {
  let isWritable = true;
  const socket = new Socket({ fd: descriptor, readable: true, writable: false });
  socket.on("error", (error) => log.warn({ err: error }, "the audit stream cannot be read"));
  createInterface({ input: socket }).on("line", (line) => {
    const state = parseState(line);
    if (state === undefined) {
      log.error("what the reader of the audit stream wrote is no state of the audit trail");
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

function parseState(line: string) {
  try {
    return auditTrailStateSchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    // No JSON: the same as another shape.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
