// @ts-check
import process from "node:process";

/**
 * Prints one line for each step: what is being done, then how it ended and after how long.
 * Steps may run at the same time. On a terminal the last line names those that run and counts
 * the seconds; elsewhere a reminder comes every `reminderSeconds`, so that a log shows that the
 * work continues.
 *
 * @param {object} [options]
 * @param {NodeJS.WriteStream} [options.stream]
 * @param {boolean} [options.hasLastLine] false where others print, too
 * @param {number} [options.reminderSeconds]
 */
export function createProgress({
  stream = process.stdout,
  hasLastLine = stream.isTTY,
  reminderSeconds = 20,
} = {}) {
  /** @type {Set<() => string>} texts of the steps that run */
  const running = new Set();
  const showOnTerminal = () => {
    const line = `  … ${[...running].map((text) => text()).join(", ")}`;
    stream.write(`\r\x1b[2K${line.slice(0, (stream.columns ?? 100) - 1)}`);
  };
  return {
    /**
     * Runs one step. `work` returns what it did, or `null` when there was
     * nothing to do; `report` replaces the text behind the step's name.
     *
     * @param {string} name
     * @param {(report: (text: string) => void) => Promise<string | null>} work
     */
    async step(name, work) {
      const startedAt = Date.now();
      const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(1);
      let detail = "";
      const text = () => `${name}${detail === "" ? "" : `: ${detail}`} (${seconds()} s)`;
      running.add(text);
      const timer = hasLastLine
        ? setInterval(showOnTerminal, 200)
        : setInterval(() => stream.write(`  … ${text()}\n`), reminderSeconds * 1000);
      const finish = (/** @type {string} */ line) => {
        clearInterval(timer);
        running.delete(text);
        stream.write(`${hasLastLine ? "\r\x1b[2K" : ""}${line}\n`);
      };
      try {
        const done = await work((words) => {
          detail = words;
        });
        finish(done === null ? `  ✓ ${name}` : `  ✓ ${name}: ${done} (${seconds()} s)`);
      } catch (error) {
        finish(`  ✗ ${name} (${seconds()} s)`);
        throw error;
      }
    },
  };
}
