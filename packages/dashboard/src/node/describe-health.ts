import type { Health } from "@opencomputer/protocol/api";

/** The health of a node in sentences, each with what to do about it. */
export function describeHealth({ ready, limitsEnforced, quarantinedCount }: Health): string[] {
  return [
    ready
      ? "Sandboxes can be created."
      : "Sandboxes cannot be created at the moment: a process below is starting, or connecting to the others.",
    ...(limitsEnforced === false
      ? [
          "No control groups limit sandboxes on this machine: one of them can use all of its CPU and memory.",
        ]
      : []),
    ...((quarantinedCount ?? 0) > 0
      ? [
          `${quarantinedCount} records of machines cannot be read. They are kept as they are: the worker's log names them.`,
        ]
      : []),
  ];
}
