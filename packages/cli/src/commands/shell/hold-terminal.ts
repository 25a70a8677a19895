import type { CliContext } from "../../cli-context.ts";

/**
 * Has every key go to the sandbox instead of to this terminal (raw mode of
 * termios(3)), until the function that is returned is called or the process
 * ends in whatever way it can still act on. An input that is no terminal is
 * left as it is.
 */
export function holdTerminal(stdin: CliContext["stdin"]): () => void {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return () => undefined;
  let isHeld = true;
  const release = (): void => {
    if (!isHeld) return;
    isHeld = false;
    process.off("exit", release);
    stdin.setRawMode?.(false);
  };
  // Uncaught errors and process.exit come here, too.
  process.once("exit", release);
  stdin.setRawMode(true);
  return release;
}
