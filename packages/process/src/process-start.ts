import { setFlagsFromString } from "node:v8";
import { type DestinationStream, destination } from "pino";

/**
 * The standard output of a process, for pino. Lines are written synchronously,
 * so those before a crash are not lost and nothing is left to flush: pino
 * flushes after a fatal line all the same, and retries forever when nobody
 * reads the output any more.
 */
export function openLogOutput(): DestinationStream {
  return Object.assign(destination({ dest: 1, sync: true }), { flushSync: () => undefined });
}

/**
 * Keeps V8 from letting the young generation of this process grow beyond
 * 4 MiB. Its capacity also bounds the buffers of sockets that wait to
 * be collected, so a process through which much passes stays small.
 */
export function boundYoungGeneration(): void {
  setFlagsFromString("--scavenger-max-new-space-capacity-mb=4");
}
