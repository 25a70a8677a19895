/** Runs the work once at a time: whoever asks meanwhile waits for the run under way. */
export function shareRunning(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}
