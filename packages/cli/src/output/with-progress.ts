import type { Writable } from "node:stream";
import ora from "ora";

/** Shorter waits show nothing, so that quick commands do not flicker. */
const patienceMilliseconds = 500;

/** What a stream tells when it is a terminal. */
export interface TerminalStream extends Writable {
  isTTY?: boolean;
  columns?: number;
}

/**
 * Waits for work, and says so on stderr when that is a terminal and it takes
 * longer. A terminal without a width (as `script` and some runners make) gets
 * no spinner: ora cannot tell how many lines to clear there, and never ends.
 */
export async function withProgress<Result>(
  stderr: TerminalStream,
  text: string,
  work: Promise<Result>,
): Promise<Result> {
  if (stderr.isTTY !== true || !stderr.columns) return await work;
  const spinner = ora({ text, stream: stderr, discardStdin: false });
  const timer = setTimeout(() => spinner.start(), patienceMilliseconds);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (spinner.isSpinning) spinner.stop();
  }
}
