import type { Logger } from "pino";
import { errorCode } from "../describe-error.ts";

/** A guest that vanished without closing is noticed by probes that start after this long. */
export const keepAliveDelayMilliseconds = 60_000;

/**
 * The listener that every guest's socket carries, so that a reset is an end
 * of one connection and not of the process. Whoever serves the connection
 * learns of it from `close`.
 */
export function logSocketError(log: Logger): (error: Error) => void {
  return (error) => log.debug({ code: errorCode(error) }, "a guest's connection failed");
}
