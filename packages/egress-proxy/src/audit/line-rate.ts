import type { AuditLine } from "@opencomputer/protocol";
import { LeftOutLines } from "./left-out-lines.ts";

export interface LineRate {
  /** Whether this line is written by itself. If not, it is part of a later sum. */
  admits(line: AuditLine): boolean;
  /** Writes the sums of what was left out and begins a new second. */
  endSecond(): void;
}

interface Sandbox {
  lines: number;
  /** By kind and decision, so that a sum is true in both. */
  readonly leftOut: Map<string, LeftOutLines>;
}

const secondMilliseconds = 1000;

/**
 * Bounds what one sandbox costs the audit: so many lines a second are written
 * one by one, and the rest of the second becomes one line for each kind and
 * decision. Which secrets were used, withheld, redacted or leaked stands in
 * the sum too, so a burst hides the number of a request but never its kind.
 *
 * The lines of an address without a sandbox are counted by that address.
 */
export function createLineRate(deps: {
  linesPerSecondMax: number;
  writeSum: (line: AuditLine) => void;
}): LineRate {
  const sandboxes = new Map<string, Sandbox>();
  let timer: NodeJS.Timeout | undefined;

  const endSecond = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const ended = [...sandboxes.values()];
    sandboxes.clear();
    for (const { leftOut } of ended) {
      for (const lines of leftOut.values()) deps.writeSum(lines.sum());
    }
  };

  return {
    admits(line) {
      timer ??= setTimeout(endSecond, secondMilliseconds).unref();
      const key = line.sandboxId ?? line.sourceAddress;
      let sandbox = sandboxes.get(key);
      if (sandbox === undefined) {
        sandbox = { lines: 0, leftOut: new Map() };
        sandboxes.set(key, sandbox);
      }
      sandbox.lines += 1;
      if (sandbox.lines <= deps.linesPerSecondMax) return true;
      const group = `${line.kind} ${line.decision}`;
      const lines = sandbox.leftOut.get(group) ?? new LeftOutLines(line);
      lines.add(line);
      sandbox.leftOut.set(group, lines);
      return false;
    },
    endSecond,
  };
}
