import type { BuildLogEvent } from "@opencomputer/sdk";
import { printable } from "./format.ts";
import type { TerminalStream } from "./with-progress.ts";
import { loadOra } from "./with-progress.ts";

/** Shorter waits show nothing, so that the output does not flicker if the image exists. */
const spinnerDelayMilliseconds = 500;

/**
 * Waits for the build of an image. A terminal shows the running step with the
 * last line of its output, and one line for each completed step. Any other
 * stream receives the whole log, line by line.
 */
export async function withBuildLog<Result>(
  stderr: TerminalStream,
  text: string,
  work: (onBuildLog: (event: BuildLogEvent) => void) => Promise<Result>,
): Promise<Result> {
  const columns = stderr.isTTY === true ? stderr.columns : undefined;
  if (!columns) return await work(({ message }) => void stderr.write(`${printable(message)}\n`));

  const fit = (line: string) =>
    Array.from(printable(line))
      .slice(0, columns - 4)
      .join("");
  const ora = await loadOra();
  const spinner = ora({ text, stream: stderr, discardStdin: false });
  const timer = setTimeout(() => spinner.start(), spinnerDelayMilliseconds);
  let title = text;
  try {
    return await work(({ type, message }) => {
      if (type === "output") {
        spinner.text = `${title}\n  ${fit(message)}`;
        return;
      }
      if (message.endsWith(" completed")) spinner.stopAndPersist({ symbol: "✔", text: title });
      else title = fit(message);
      spinner.start(title);
    });
  } finally {
    clearTimeout(timer);
    if (spinner.isSpinning) spinner.stop();
  }
}
