import type { AuditLine } from "@opencomputer/protocol/wire";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { describeError } from "../logging/describe-error.ts";
import { boundedLine } from "./bounded-line.ts";
import type { ExchangeDetail } from "./exchange-detail.ts";
import { LeakAlarm } from "./leak-alarm.ts";
import { createLineRate } from "./line-rate.ts";
import { SparseEvents } from "./sparse-events.ts";

/**
 * Writes the line of one finished request, refusal or failure to the audit log; the egress
 * log has the detail too.
 */
export type WriteAudit = (line: AuditLine, detail?: ExchangeDetail) => void;

/** Takes each line for the egress log of its sandbox. `leftOut` lines were summed up to it; 0 for one line. */
export type KeepLine = (line: AuditLine, detail: ExchangeDetail, leftOut: number) => void;

export interface AuditWriter {
  write: WriteAudit;
  /** Writes the lines that are still buffered. To be called before the process ends. */
  flush(): void;
}

const bufferedCharactersMax = 64 * 1024;

/**
 * Creates the writer of audit lines, as JSON, one per line, to a separate
 * stream: this process has secret values in memory and writes no file, so the
 * reader of the stream stores the lines. Each line is bounded, and so is the
 * number of lines of one sandbox in a second.
 *
 * No line is lost silently. `send` is synchronous, so a reader that is slow
 * pauses the proxy; when it fails because the reader has ended, the process log
 * reports how many lines were lost, and egress continues. The lines of one turn
 * of the event loop are sent in one write.
 */
export function createAuditWriter(deps: {
  send: (text: string) => void;
  log: Logger;
  now: () => number;
  keepLine: KeepLine;
}): AuditWriter {
  const { log, now } = deps;
  const alarm = new LeakAlarm({ log, now });
  const failures = new SparseEvents({ now });
  let buffered = "";
  let bufferedLines = 0;
  let lostLines = 0;
  let scheduled = false;

  const sendBuffered = (): void => {
    scheduled = false;
    if (bufferedLines === 0) return;
    const text = buffered;
    const lines = bufferedLines;
    buffered = "";
    bufferedLines = 0;
    try {
      deps.send(text);
    } catch (error) {
      lostLines += lines;
      if (failures.admit("send") === undefined) return;
      log.error(
        { error: describeError(error), lostLines },
        `Audit lines cannot be written: ${lostLines} were lost since the start of the egress proxy`,
      );
    }
  };

  const hold = (line: AuditLine, detail: ExchangeDetail, leftOut: number): void => {
    buffered += `${boundedLine(line)}\n`;
    bufferedLines += 1;
    if (buffered.length >= bufferedCharactersMax) {
      sendBuffered();
    } else if (!scheduled) {
      scheduled = true;
      setImmediate(sendBuffered);
    }
    deps.keepLine(line, detail, leftOut);
  };

  const rate = createLineRate({
    linesPerSecondMax: serviceLimits.auditLinesPerSecondMax,
    writeSum: (line, count) => hold(line, {}, count),
  });

  return {
    write(line, detail = {}) {
      if (line.leaked.length > 0) alarm.raise(line);
      if (rate.admits(line)) hold(line, detail, 0);
    },
    flush() {
      rate.endSecond();
      sendBuffered();
    },
  };
}
