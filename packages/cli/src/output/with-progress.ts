import type { Writable } from "node:stream";
import ora from "ora";

/** Shorter waits show nothing, so that quick commands do not flicker. */
const patienceMilliseconds = 500;

/** Waits for work, and says so on stderr when that is a terminal and it takes longer. */
export async function withProgress<Result>(
  stderr: Writable & { isTTY?: boolean },
  text: string,
  work: Promise<Result>,
): Promise<Result> {
  if (stderr.isTTY !== true) return await work;
  const spinner = ora({ text, stream: stderr, discardStdin: false });
  const timer = setTimeout(() => spinner.start(), patienceMilliseconds);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (spinner.isSpinning) spinner.stop();
  }
}
