import { type Logger, pino } from "pino";

/** A logger of which the test reads the lines, if it cares. */
export function createTestLog(lines: string[] = []): Logger {
  return pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
}
