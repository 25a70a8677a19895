import type { CliContext } from "../cli-context.ts";
import { createOutput, OutputClosedError } from "./create-output.ts";

const interrupts = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Prints items line by line, then those that follow, until an interrupt, or until the reader of the output has left. */
export async function printFollowed<Item>(
  context: CliContext,
  items: readonly Item[],
  lineOf: (item: Item) => string,
  follow: (signal: AbortSignal) => AsyncIterable<Item>,
): Promise<void> {
  const stdout = createOutput(context.stdout);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  for (const name of interrupts) context.signals.on(name, onInterrupt);
  const write = (item: Item): Promise<void> =>
    stdout.write(Buffer.from(`${lineOf(item).trimEnd()}\n`));
  try {
    for (const item of items) await write(item);
    for await (const item of follow(interrupt.signal)) await write(item);
  } catch (error) {
    if (!interrupt.signal.aborted && !(error instanceof OutputClosedError)) throw error;
  } finally {
    for (const name of interrupts) context.signals.off(name, onInterrupt);
    stdout.release();
  }
}
