import { destination, type Logger, pino } from "pino";

/**
 * The log of a process, as JSON lines on its standard output. They are written
 * synchronously, and nothing is left to flush: pino flushes after a fatal line
 * all the same, and tries for ever when nobody reads the output any more.
 */
export function openLog(name: string): Logger {
  const output = destination({ dest: 1, sync: true });
  return pino({ name }, Object.assign(output, { flushSync: () => undefined }));
}
