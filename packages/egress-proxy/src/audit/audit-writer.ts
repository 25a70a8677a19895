import type { EgressProtocol, WithheldReason } from "@opencomputer/protocol/api";
import { type AuditLine, serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { describeError } from "../logging/describe-error.ts";
import { boundedLine } from "./bounded-line.ts";
import { LeakAlarm } from "./leak-alarm.ts";
import { createLineRate } from "./line-rate.ts";
import { SparseEvents } from "./sparse-events.ts";

/** What the egress log has of an exchange besides its audit line. */
export interface ExchangeDetail {
  /** The port that the guest asked for, where the line's host does not have it. */
  readonly port?: number;
  /** Where it is more than the line's kind. */
  readonly protocol?: EgressProtocol;
  /** The place of each token that became its value. */
  readonly substituted?: readonly { readonly name: string; readonly place: string }[];
  /** Why, for each of the line's `withheld`. */
  readonly withheldReasons?: readonly WithheldReason[];
  /** How often each value of the line's `redacted` occurred. */
  readonly redactedCounts?: ReadonlyMap<string, number>;
  readonly foreignTokens?: number;
  /** Whether any of it was sent to the host; without it everything that was allowed was. */
  readonly wasSent?: boolean;
}

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
