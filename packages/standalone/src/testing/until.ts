import { setTimeout as delay } from "node:timers/promises";

const pollMilliseconds = 10;
const patienceMilliseconds = 20_000;

/** Waits until a condition holds; the text names it in the error when it does not. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`This did not happen within ${patienceMilliseconds / 1000} s: ${what}`);
    await delay(pollMilliseconds);
  }
}
