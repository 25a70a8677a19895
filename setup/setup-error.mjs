// @ts-check
import process from "node:process";

/** Something that the user can mend: shown as its text alone, without a stack. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {{ cause?: unknown }} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = "SetupError";
  }
}

/**
 * Prints a set-up error and makes this process end with exit code 1; throws
 * any other error again.
 *
 * @param {unknown} error
 */
export function reportSetupError(error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
