import type { Writable } from "node:stream";
import type { Ora } from "ora";

/** Shorter waits show nothing, so that quick commands do not flicker. */
const spinnerDelayMilliseconds = 500;

/** A stream, with the properties of a terminal if it is one. */
export interface TerminalStream extends Writable {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/**
 * Waits for `work`. If it takes longer than the delay, a spinner is shown on
 * stderr, provided that this is a terminal with a width: without one, as under
 * `script` and some CI runners, ora never finishes clearing its lines.
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
  const timer = setTimeout(show, spinnerDelayMilliseconds);
  try {
    return await work;
  } finally {
    isDone = true;
    clearTimeout(timer);
    spinner?.stop();
  }
}

type CreateSpinner = typeof import("ora").default;

let loaded: CreateSpinner | undefined;

/** Loads ora, which quick commands and output to files never need. */
export async function loadOra(): Promise<CreateSpinner> {
  loaded ??= (await import("ora")).default;
  return loaded;
}

/** Calls `use` with ora: at once if it is loaded, otherwise when it is. */
function withOra(use: (ora: CreateSpinner) => void): void {
  if (loaded !== undefined) use(loaded);
  else void loadOra().then(use);
}
