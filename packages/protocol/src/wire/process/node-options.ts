/** The processes that the supervisor starts with Node. */
export type NodeProcess = "host" | "worker" | "egress-proxy" | "control-plane";

/** What a process of the service changes in Node. */
export interface NodeOptions {
  /** On its command line. */
  readonly commandLine: readonly string[];
  /** Flags of V8 that it sets itself before all else, so that they hold whoever starts it. */
  readonly v8Flags: readonly string[];
}

const commandLine = [
  "--enable-source-maps",
  // Loading the modules, before any of them runs, would otherwise grow the young generation of
  // the heap to 128 MiB, which an idle process keeps.
  "--max-semi-space-size=2",
];

/**
 * Keeps the young generation from growing beyond 4 MiB. Its capacity also bounds the buffers of
 * sockets that wait to be collected, so a process through which much passes stays small.
 */
const boundedYoungGeneration = "--scavenger-max-new-space-capacity-mb=4";

/**
 * Most of what a request allocates soon becomes garbage. A young generation that does not grow
 * keeps the process small however much passes it.
 */
const steadyYoungGeneration = "--semi-space-growth-factor=1";

/** The options of Node of each process. */
export const nodeOptions: Readonly<Record<NodeProcess, NodeOptions>> = {
  host: { commandLine, v8Flags: [] },
  worker: { commandLine, v8Flags: [boundedYoungGeneration] },
  "egress-proxy": { commandLine, v8Flags: [steadyYoungGeneration, boundedYoungGeneration] },
  "control-plane": { commandLine, v8Flags: [boundedYoungGeneration] },
};
