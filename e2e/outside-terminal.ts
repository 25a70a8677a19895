import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));
const script = fileURLToPath(new URL("outside-terminal.py", import.meta.url));

const patienceMilliseconds = 60_000;
/** A program that runs for longer is killed, and fails its test. */
const lifeMilliseconds = 180_000;

/** A person's terminal, 80 columns by 24 rows, in which `oc` runs. */
export interface OutsideTerminal {
  type(text: string): void;
  /** Makes it 132 by 43. */
  resize(): void;
  /** Sends SIGTERM to `oc`. */
  terminate(): void;
  /** Waits until it has shown that since it was last looked at. */
  until(text: string): Promise<string>;
  /** `isRestored` is whether the terminal's settings are those from before. */
  ended: Promise<{ exitCode: number | null; isRestored: boolean }>;
}

/** Runs `oc` with these arguments in a pseudo-terminal. */
export function openOutsideTerminal(
  connection: { apiUrl: string; apiKey: string },
  args: readonly string[],
): OutsideTerminal {
  const child = spawn("python3", [script, process.execPath, program, ...args], {
    env: {
      PATH: process.env["PATH"],
      TERM: "xterm-256color",
      HOME: "/nonexistent",
      OPENCOMPUTER_API_URL: connection.apiUrl,
      OPENCOMPUTER_API_KEY: connection.apiKey,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let shown = "";
  let state = "";
  let looked = 0;
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    tell();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    state += text;
  });
  const ended = new Promise<{ exitCode: number | null; isRestored: boolean }>((resolve) => {
    const late = setTimeout(() => child.kill("SIGKILL"), lifeMilliseconds);
    child.once("close", (exitCode) => {
      clearTimeout(late);
      resolve({ exitCode, isRestored: state === "restored\n" });
      tell();
    });
  });
  let isOver = false;
  void ended.then(() => {
    isOver = true;
    tell();
  });
  return {
    type: (text) => void child.stdin.write(text),
    resize: () => void child.kill("SIGUSR1"),
    terminate: () => void child.kill("SIGUSR2"),
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const at = shown.indexOf(text, looked);
          if (at === -1 && !isOver) return;
          waiting.delete(look);
          if (at === -1) {
            reject(new Error(`not shown: ${text}\n${shown.slice(looked)}\n${state}`));
            return;
          }
          const before = shown.slice(looked, at + text.length);
          looked = at + text.length;
          resolve(before);
        };
        setTimeout(() => {
          if (waiting.delete(look)) {
            reject(new Error(`not shown in time: ${text}\n${shown.slice(looked)}`));
          }
        }, patienceMilliseconds).unref();
        waiting.add(look);
        look();
      }),
    ended,
  };
}
