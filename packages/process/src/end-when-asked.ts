import type { EventEmitter } from "node:events";
import { exitCodes } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";

/** What of the process ends it. */
type EndingProcess = Pick<EventEmitter, "on"> & { exit(code: number): unknown };

/**
 * Ends the process when it gets SIGTERM or SIGINT, or when the process that started it has
 * ended. Further signals do not interrupt `close`.
 */
export function endWhenAsked({
  log,
  close,
  closeMillisecondsMax,
  process = globalThis.process,
}: {
  log: Pick<Logger, "info" | "error">;
  /** Ends what the process has open. When it rejects, the process fails. */
  close: () => Promise<unknown>;
  /** The process fails when `close` takes longer; absent, nothing bounds it. */
  closeMillisecondsMax?: number;
  process?: EndingProcess;
}): void {
  let isEnding = false;
  const end = async (reason: string): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    log.info({ reason }, "the process ends");
    if (closeMillisecondsMax !== undefined) {
      setTimeout(() => {
        log.error(`the process did not end within ${closeMillisecondsMax} ms`);
        process.exit(exitCodes.failed);
      }, closeMillisecondsMax).unref();
    }
    try {
      await close();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, "the process did not end cleanly");
      process.exit(exitCodes.failed);
    }
  };
  process.on("SIGTERM", () => void end("SIGTERM"));
  process.on("SIGINT", () => void end("SIGINT"));
  process.on("disconnect", () => void end("the process that started it has ended"));
}
