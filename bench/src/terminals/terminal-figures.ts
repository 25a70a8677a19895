import type { RunningInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { describeSamples, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { median } from "../statistics.ts";
import { openAgentTerminal } from "./agent-terminal.ts";
import { measureEcho, type TypedTerminal } from "./echo-time.ts";

const rounds = 200;
const warmUpRounds = 10;
const echoMillisecondsMax = 25;

/**
 * Keystroke to echo in a terminal through the SDK, compared with a terminal
 * directly at the agent of the same sandbox.
 */
export async function measureTerminals(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const sandbox = await Sandbox.create({
    apiUrl: installation.apiUrl,
    apiKey: installation.apiKey,
  });
  const workerSocket = `/run/opencomputer-${installation.id}/worker/worker.sock`;
  const through = await openThroughSdk(sandbox);
  const straight = await openAgentTerminal(workerSocket, sandbox.id);
  try {
    const measured = typist(through);
    const floor = typist(straight);
    await measureInTurns({ rounds: warmUpRounds, measured, floor });
    const samples = await measureInTurns({ rounds, measured, floor, onRound });
    const difference = median(samples.measured) - median(samples.floor);
    return [
      {
        name: "keystroke → echo in a terminal through the SDK",
        measured: describeSamples(samples.measured, "ms"),
        floor: `${describeSamples(samples.floor, "ms")} (straight to the agent)`,
        result: `floor ${difference < 0 ? "−" : "+"} ${Math.abs(difference).toFixed(1)} ms`,
        mustReach: `≤ floor + ${echoMillisecondsMax} ms`,
        reached: difference <= echoMillisecondsMax,
      },
    ];
  } finally {
    await through.end();
    await straight.end();
    await sandbox.kill();
  }
}

async function openThroughSdk(sandbox: Sandbox): Promise<TypedTerminal> {
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, shell: "cat" });
  const output = terminal[Symbol.asyncIterator]();
  return {
    type: (key) => terminal.send(key),
    async next() {
      const { done, value } = await output.next();
      if (done === true) throw new Error("The terminal ended");
      return value;
    },
    end: () => terminal.kill(),
  };
}

/** Types a line that stays shorter than the 4095 bytes that the kernel buffers, so that `cat` prints none. */
function typist(terminal: TypedTerminal): () => Promise<number> {
  let typed = 0;
  return () => {
    typed += 1;
    return measureEcho(terminal, String.fromCharCode(97 + (typed % 26)));
  };
}
