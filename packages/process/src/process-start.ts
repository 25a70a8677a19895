import { setFlagsFromString } from "node:v8";
import { type NodeProcess, nodeOptions } from "@opencomputer/protocol/wire";
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

/** Sets the flags of V8 that this process has in `nodeOptions`. */
export function setV8Flags(name: NodeProcess): void {
  for (const flag of nodeOptions[name].v8Flags) setFlagsFromString(flag);
}
