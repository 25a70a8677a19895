import { setTimeout as delay } from "node:timers/promises";

const pollMilliseconds = 10;
const patienceMilliseconds = 20_000;

/** Waits until a condition holds; the text says which, if it never does. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}`);
    await delay(pollMilliseconds);
  }
}
