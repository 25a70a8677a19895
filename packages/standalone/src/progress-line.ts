/** One line that shows the current stage: rewritten on a terminal, a new line for each stage elsewhere. */
export function createProgressLine(stream: NodeJS.WriteStream) {
  const startedAt = Date.now();
  let shown = "";
  let timer: NodeJS.Timeout | undefined;
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
  const rewrite = () => stream.write(`\r\x1b[2K  … ${shown} (${seconds()})`);
  return {
    show(stage: string) {
      if (stage === shown) return;
      shown = stage;
      if (!stream.isTTY) {
        stream.write(`  … ${stage} (${seconds()})\n`);
        return;
      }
      rewrite();
      timer ??= setInterval(rewrite, 500);
    },
    end(text: string) {
      clearInterval(timer);
      timer = undefined;
      stream.write(`${stream.isTTY ? "\r\x1b[2K" : ""}${text}\n`);
    },
  };
}
