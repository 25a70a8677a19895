import { type AuditLine, limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { WriteAudit } from "../contract.ts";
import { describeError } from "../describe-error.ts";
import { boundedLine } from "./bounded-line.ts";
import { createLeakAlarm } from "./leak-alarm.ts";
import { createLineRate } from "./line-rate.ts";
import { createSparseEvents } from "./sparse-events.ts";

export interface AuditWriter {
  write: WriteAudit;
  /** Writes what is still held back. Call it before the process ends. */
  flush(): void;
}

const heldBackCharactersMax = 64 * 1024;

/**
 * Writes audit lines as JSON, one a line, to a stream of their own: this
 * process holds values in memory and writes no file, so whoever reads the
 * stream keeps the lines. Each line is bounded, and so are the lines of one
 * sandbox in a second.
 *
 * No line is lost silently. `send` is synchronous, so a reader that is slow
 * pauses the proxy; when it fails because the reader is gone, the process log
 * says how many lines were lost, and egress continues. The lines of one turn
 * of the event loop go out in one write.
 */
export function createAuditWriter(deps: {
  send: (text: string) => void;
  log: Logger;
  now: () => number;
}): AuditWriter {
  const { log, now } = deps;
  const raiseAlarm = createLeakAlarm({ log, now });
  const admitFailure = createSparseEvents({ now });
  let heldBack = "";
  let heldBackLines = 0;
  let lostLines = 0;
  let scheduled = false;

  const sendHeldBack = (): void => {
    scheduled = false;
    if (heldBackLines === 0) return;
    const text = heldBack;
    const lines = heldBackLines;
    heldBack = "";
    heldBackLines = 0;
    try {
      deps.send(text);
    } catch (error) {
      lostLines += lines;
      if (admitFailure("send") === undefined) return;
      log.error(
        { error: describeError(error), lostLines },
        `Audit lines cannot be written: ${lostLines} were lost since the start of the egress proxy`,
      );
    }
  };

  const hold = (line: AuditLine): void => {
    heldBack += `${boundedLine(line)}\n`;
    heldBackLines += 1;
    if (heldBack.length >= heldBackCharactersMax) {
      sendHeldBack();
    } else if (!scheduled) {
      scheduled = true;
      setImmediate(sendHeldBack);
    }
  };

  const rate = createLineRate({
    linesPerSecondMax: limits.auditLinesPerSecondMax,
    writeSum: hold,
  });

  return {
    write(line) {
      if (line.leaked.length > 0) raiseAlarm(line);
      if (rate.admits(line)) hold(line);
    },
    flush() {
      rate.endSecond();
      sendHeldBack();
    },
  };
}
