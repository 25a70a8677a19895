// @ts-check

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
