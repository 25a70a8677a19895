import type { Logger } from "pino";
import { createLogger } from "../logging.ts";

/** The process's own logger, with its lines kept instead of printed. */
export function createRecordingLogger(): { logger: Logger; lines: () => string } {
  let lines = "";
  const write = (line: string): void => {
    lines += line;
  };
  return { logger: createLogger({ write }), lines: () => lines };
}
