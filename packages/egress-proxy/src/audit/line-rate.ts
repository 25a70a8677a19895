import type { AuditLine } from "@opencomputer/protocol/wire";
import { LeftOutLines } from "./left-out-lines.ts";

/** Decides which audit lines are written individually. */
export interface LineRate {
  /** Whether this line is written individually. If not, it becomes part of a later sum. */
  admits(line: AuditLine): boolean;
  /** Writes the sums of the lines that were left out and begins a new second. */
  endSecond(): void;
}

interface Sandbox {
  lines: number;
  /** Sums of lines by kind and decision, so that each sum is of one of both. */
  readonly leftOut: Map<string, LeftOutLines>;
}

const secondMilliseconds = 1000;

/**
 * Bounds the audit lines of one sandbox: so many a second are written one by
 * one, and the others of that second become one line for each kind and
 * decision. The sum names the secrets that were used, withheld, redacted or
 * leaked, so a burst hides single requests but never their kind.
 *
 * The lines of an address without a sandbox are counted by that address.
 */
export function createLineRate(deps: {
  linesPerSecondMax: number;
  /** `count` lines were left out for it. */
  writeSum: (line: AuditLine, count: number) => void;
}): LineRate {
  const sandboxes = new Map<string, Sandbox>();
  let timer: NodeJS.Timeout | undefined;

  const endSecond = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const ended = [...sandboxes.values()];
    sandboxes.clear();
    for (const { leftOut } of ended) {
      for (const lines of leftOut.values()) deps.writeSum(lines.sum(), lines.count);
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
      const lines = sandbox.leftOut.get(group) ?? new LeftOutLines(line, describeSecond);
      lines.add(line);
      sandbox.leftOut.set(group, lines);
      return false;
    },
    endSecond,
  };
}

function describeSecond(count: number): string {
  return `${count} further lines of this second were left out`;
}
