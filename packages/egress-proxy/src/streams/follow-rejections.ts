import { readSync } from "node:fs";
import type { Logger } from "pino";
import { errorCode } from "../logging/describe-error.ts";
import { parseRejections, type Rejection } from "./parse-rejections.ts";

const pollMilliseconds = 250;
const datagramsPerPollMax = 200;
const datagramBytesMax = 64 * 1024;

/**
 * Reads the packet filter's log from a socket that does not block. Node has no
 * event for such a socket, so it is read four times a second. The filter limits the rate of
 * its log, and what the socket has no room for is lost.
 */
export function followRejections(
  descriptor: number,
  deps: { onRejected: (rejection: Rejection) => void; log: Logger },
): void {
  const buffer = Buffer.alloc(datagramBytesMax);
  const timer = setInterval(() => {
    for (let count = 0; count < datagramsPerPollMax; count += 1) {
      const bytes = readDatagram(descriptor, buffer);
      if (typeof bytes === "number") {
        for (const rejection of parseRejections(buffer.subarray(0, bytes)))
          deps.onRejected(rejection);
      } else if (bytes === "EAGAIN") {
        return;
      } else if (bytes !== "ENOBUFS") {
        deps.log.warn({ code: bytes }, "rejected connections are no longer audited");
        clearInterval(timer);
        return;
      }
    }
  }, pollMilliseconds);
  timer.unref();
}

function readDatagram(descriptor: number, buffer: Buffer): number | string {
  try {
    return readSync(descriptor, buffer, 0, buffer.length, null);
  } catch (error) {
    return errorCode(error) ?? "no code";
  }
}
