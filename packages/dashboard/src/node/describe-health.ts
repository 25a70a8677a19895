import type { Health } from "@opencomputer/protocol/api";

/** The health of a node in sentences, each with what to do about it. */
export function describeHealth({ ready, limitsEnforced, quarantinedCount }: Health): string[] {
  return [
    ready
      ? "Sandboxes can be created."
      : "Sandboxes cannot be created now: a process below starts, or connects to the others.",
    ...(limitsEnforced === false
      ? [
          "Control groups do not bound what sandboxes take of this machine: one of them can take all of its CPU and memory.",
        ]
      : []),
    ...((quarantinedCount ?? 0) > 0
      ? [
          `${quarantinedCount} records of machines cannot be read. They are left alone: the log of the worker names them.`,
        ]
      : []),
  ];
}
