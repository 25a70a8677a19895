import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "@opencomputer/protocol/api";
import type { WorkerClient } from "../worker/worker-client.ts";

/** A builder sandbox as the steps use it. */
export type Builder = Pick<WorkerClient, "run" | "writeFile">;

/** How often the output of a running script is read. */
const followMilliseconds = 1_000;
const followBytes = 128 * 1024;
/** A longer output is cut there, and its end is added. */
const outputBytesMax = limits.imageLogBytesMax;
const outputEndBytes = 4_000;
/** What the wrapper below prints at most, with the mark between the two parts. */
const outputCharactersMax = outputBytesMax + outputEndBytes + 64;
/** Reads of an output that is at its limit, with as many again for short ones. */
const readsToEndMax = 2 * Math.ceil(outputBytesMax / followBytes);

/**
 * Runs a script for bash in a builder, as root, and reports its output as it
 * comes: both streams in one, as a terminal shows them.
 *
 * @param options.outputPath Where the builder keeps the output meanwhile; another for each script,
 * or the output of an earlier one would be read.
 * @returns the exit code, -1 when it took too long, and the whole output.
 */
export async function runScript(
  builder: Pick<Builder, "run">,
  options: {
    sandboxId: string;
    script: string;
    workingDirectory: string;
    variables: Readonly<Record<string, string>>;
    outputPath: string;
    onOutput: (text: string) => void;
    signal: AbortSignal;
  },
): Promise<{ exitCode: number; output: string }> {
  const { sandboxId, outputPath, onOutput, signal } = options;
  const decoder = new TextDecoder();
  let seen = "";
  let seenBytes = 0;

  async function readMore(): Promise<boolean> {
    const bytes = Math.min(followBytes, outputBytesMax - seenBytes);
    if (bytes <= 0) return false;
    const script = 'tail -c "+$2" -- "$1" | head -c "$3" | base64 -w 0';
    const words = [outputPath, String(seenBytes + 1), String(bytes)];
    const command = { cmd: "/bin/sh", args: ["-c", script, "look", ...words], cwd: "/" };
    const { stdout } = await builder.run(sandboxId, command, signal);
    // A script may have replaced the programs that are to keep to it.
    const bytesSeen = Buffer.from(stdout, "base64").subarray(0, bytes);
    report(decoder.decode(bytesSeen, { stream: true }));
    seenBytes += bytesSeen.length;
    return bytesSeen.length > 0;
  }

  /** The rest of the output of a script that was killed, which returned none. */
  async function readToEnd(): Promise<void> {
    for (let reads = 0; reads < readsToEndMax; reads += 1) {
      if (!(await readMore())) return;
    }
  }

  function report(received: string): void {
    const text = received.slice(0, outputCharactersMax - seen.length);
    if (text === "") return;
    seen += text;
    onOutput(text);
  }

  /** Reads repeatedly until the script has ended; a read that fails leaves its output to the next. */
  async function follow(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await sleep(followMilliseconds, undefined, { signal: ended }).catch(() => undefined);
      if (!ended.aborted) await readMore().catch(() => false);
    }
  }

  const ended = new AbortController();
  const following = follow(ended.signal);
  try {
    const { exitCode, stdout, stderr } = await builder.run(sandboxId, commandFor(options), signal);
    ended.abort();
    await following;
    if (exitCode === -1) await readToEnd();
    else report((stdout + stderr).slice(seen.length));
    return { exitCode, output: seen };
  } finally {
    ended.abort();
  }
}

/** Writes the output to a file, and at the end to the output of the command. */
const wrapper = `
mkdir -p -- "$(dirname -- "$3")"
(cd -- "$1" && exec /bin/bash -c "$2") > "$3" 2>&1
code=$?
head -c ${outputBytesMax} -- "$3"
if [ "$(stat -c %s -- "$3")" -gt ${outputBytesMax} ]; then
  printf '\\n…\\n'
  tail -c ${outputEndBytes} -- "$3"
fi
exit "$code"
`;

function commandFor(options: Parameters<typeof runScript>[1]) {
  const { script, workingDirectory, variables, outputPath } = options;
  return {
    cmd: "sudo",
    args: [
      ...["-n", "-H", "--", "/usr/bin/env"],
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      ...["/bin/bash", "-c", wrapper, "build", workingDirectory, script, outputPath],
    ],
    cwd: "/",
    timeout: limits.imageStepSecondsMax,
  };
}
