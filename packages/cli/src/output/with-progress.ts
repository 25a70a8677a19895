import type { Writable } from "node:stream";
import type { Ora } from "ora";
import { withOra } from "./load-ora.ts";

/** Shorter waits show nothing, so that quick commands do not flicker. */
const patienceMilliseconds = 500;

/** What a stream tells when it is a terminal. */
export interface TerminalStream extends Writable {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
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
  let spinner: Ora | undefined;
  let isDone = false;
  const show = () =>
    withOra((ora) => {
      if (!isDone) spinner = ora({ text, stream: stderr, discardStdin: false }).start();
    });
  const timer = setTimeout(show, patienceMilliseconds);
  try {
    return await work;
  } finally {
    isDone = true;
    clearTimeout(timer);
    spinner?.stop();
  }
}
