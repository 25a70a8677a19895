import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "@opencomputer/protocol";
import type { WorkerClient } from "../worker/worker-client.ts";

/** A builder sandbox as the steps use it. */
export type Builder = Pick<WorkerClient, "run" | "writeFile">;

/** How often the output of a script that runs is looked at. */
const followMilliseconds = 1_000;
const followBytes = 128 * 1024;
/** Of a longer output, what comes after that is left out but for its end. */
const outputBytesMax = limits.imageLogBytesMax;
const outputEndBytes = 4_000;

/**
 * Runs a script for bash in a builder, as root, and tells its output as it
 * comes: both streams in one, as a terminal shows them.
 *
 * @param options.outputPath Where the builder keeps the output meanwhile; another for each script,
 * or a look would find what an earlier one has said.
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

  async function look(): Promise<boolean> {
    const bytes = Math.min(followBytes, outputBytesMax - seenBytes);
    if (bytes === 0) return false;
    const script = 'tail -c "+$2" -- "$1" | head -c "$3" | base64 -w 0';
    const words = [outputPath, String(seenBytes + 1), String(bytes)];
    const command = { cmd: "/bin/sh", args: ["-c", script, "look", ...words], cwd: "/" };
    const { stdout } = await builder.run(sandboxId, command, signal);
    const octets = Buffer.from(stdout, "base64");
    tell(decoder.decode(octets, { stream: true }));
    seenBytes += octets.length;
    return octets.length > 0;
  }

  /** A script that was killed has not told its output itself. */
  async function lookUntilEnd(): Promise<void> {
    let hasMore = true;
    while (hasMore) hasMore = await look();
  }

  function tell(text: string): void {
    if (text === "") return;
    seen += text;
    onOutput(text);
  }

  /** Looks go on by themselves; one that fails leaves what it would have seen to the next. */
  async function follow(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await sleep(followMilliseconds, undefined, { signal: ended }).catch(() => undefined);
      if (!ended.aborted) await look().catch(() => false);
    }
  }

  const ended = new AbortController();
  const following = follow(ended.signal);
  try {
    const { exitCode, stdout, stderr } = await builder.run(sandboxId, commandFor(options), signal);
    ended.abort();
    await following;
    if (exitCode === -1) await lookUntilEnd();
    else tell((stdout + stderr).slice(seen.length));
    return { exitCode, output: seen };
  } finally {
    ended.abort();
  }
}

/** The output goes to a file, and at the end to whoever waits for the command. */
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
