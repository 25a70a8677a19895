// @ts-check
import process from "node:process";

/**
 * One line a step: what is being done, then how it ended and after how long.
 * On a terminal the line counts the seconds; elsewhere a reminder comes every
 * `reminderSeconds`, so that a log shows that the work goes on.
 *
 * @param {{ stream?: NodeJS.WriteStream, reminderSeconds?: number }} [options]
 */
export function createProgress({ stream = process.stdout, reminderSeconds = 20 } = {}) {
  return {
    /**
     * Runs one step. `work` answers what it did, or `null` when there was
     * nothing to do; `report` replaces the text behind the step's name.
     *
     * @param {string} name
     * @param {(report: (text: string) => void) => Promise<string | null>} work
     */
    async step(name, work) {
      const startedAt = Date.now();
      const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(1);
      let detail = "";
      const line = () => `  … ${name}${detail === "" ? "" : `: ${detail}`} (${seconds()} s)`;
      const show = () => {
        if (stream.isTTY) stream.write(`\r\x1b[2K${line().slice(0, (stream.columns ?? 100) - 1)}`);
        else stream.write(`${line()}\n`);
      };
      const timer = setInterval(show, stream.isTTY ? 200 : reminderSeconds * 1000);
      const finish = (/** @type {string} */ text) => {
        clearInterval(timer);
        stream.write(`${stream.isTTY ? "\r\x1b[2K" : ""}${text}\n`);
      };
      try {
        const done = await work((text) => {
          detail = text;
        });
        finish(done === null ? `  ✓ ${name}` : `  ✓ ${name}: ${done} (${seconds()} s)`);
      } catch (error) {
        finish(`  ✗ ${name} (${seconds()} s)`);
        throw error;
      }
    },
  };
}
