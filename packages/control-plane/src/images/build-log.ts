import { type BuildLogEvent, limits } from "@opencomputer/protocol/api";

export type BuildLogListener = (event: BuildLogEvent) => void;

/** The log of a build so far. A later follower gets it from the start. */
export interface BuildLog {
  add(event: BuildLogEvent): void;
  /** Adds what a step printed, as one event a line. */
  addOutput(step: number, output: string): void;
  /** Sends all events so far, then each one as it comes, until the returned function is called. */
  follow(listener: BuildLogListener): () => void;
}

interface Bounds {
  bytesMax: number;
  linesMax: number;
}

const defaultBounds: Bounds = {
  bytesMax: limits.imageLogBytesMax,
  linesMax: limits.imageLogLinesMax,
};

/** @param bounds Output of steps beyond them is omitted; the lines about steps are kept. */
export function createBuildLog({ bytesMax, linesMax }: Bounds = defaultBounds): BuildLog {
  const events: BuildLogEvent[] = [];
  const listeners = new Set<BuildLogListener>();
  let outputBytes = 0;
  let outputLines = 0;

  function add(event: BuildLogEvent): void {
    events.push(event);
    for (const listener of listeners) listener(event);
  }

  function addLine(step: number, message: string): void {
    if (outputBytes > bytesMax || outputLines > linesMax) return;
    outputBytes += Buffer.byteLength(message) + 1;
    outputLines += 1;
    const fits = outputBytes <= bytesMax && outputLines <= linesMax;
    const exceeded = outputBytes > bytesMax ? `${bytesMax} bytes` : `${linesMax} lines`;
    const notice = `The log is longer than ${exceeded}: the rest of the output is omitted`;
    add({ step, type: "output", message: fits ? message : notice });
  }

  return {
    add,
    addOutput(step, output) {
      const text = output.endsWith("\n") ? output.slice(0, -1) : output;
      if (text === "") return;
      for (const line of text.split("\n")) addLine(step, lastWritten(line));
    },
    follow(listener) {
      for (const event of events) listener(event);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The part of a line that a terminal still shows when carriage returns began it anew, as progress bars do. */
function lastWritten(line: string): string {
  return (
    line
      .split("\r")
      .filter((part) => part !== "")
      .at(-1) ?? ""
  );
}
