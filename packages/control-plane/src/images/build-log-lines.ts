import type { BuildLog } from "./build-log.ts";

/** Adds output that comes in pieces to a log, by whole lines. */
export interface BuildLogLines {
  add(text: string): void;
  /** Adds the last line, which no newline has ended. */
  end(): void;
}

export function createBuildLogLines(log: BuildLog, step: number): BuildLogLines {
  let rest = "";
  return {
    add(text) {
      const end = text.lastIndexOf("\n");
      if (end === -1) {
        rest += text;
        return;
      }
      log.addOutput(step, rest + text.slice(0, end + 1));
      rest = text.slice(end + 1);
    },
    end() {
      log.addOutput(step, rest);
      rest = "";
    },
  };
}
