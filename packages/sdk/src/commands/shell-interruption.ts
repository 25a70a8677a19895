import type { CommandSession } from "./command-session.ts";
import { createDeferred } from "./deferred.ts";
import { createMarkedStream, type MarkedStream } from "./marked-stream.ts";
import {
  type CommandMarkers,
  createCommandMarkers,
  endOfScript,
  shellScript,
} from "./shell-script.ts";

const interruptSignal = 2;
/** How long a command may clean up before it is interrupted again. */
const cleanUpMilliseconds = 2_000;
/** How long the shell may take for an empty command before it is interrupted again. */
const probeMilliseconds = 500;
/** Then the command is killed with its shell. */
const graceMilliseconds = 6_000;

/** The end of a command by SIGINT, or by SIGKILL together with its shell. */
export interface ShellInterruption {
  /** Reads a chunk that arrives on a stream of the session meanwhile. */
  take(stream: "stdout" | "stderr", data: Uint8Array): void;
  /** Resolves when the shell accepts commands again; never when it has to be killed. */
  readonly done: Promise<void>;
  /** Sends nothing more. */
  giveUp(): void;
}

/**
 * Interrupts the command of a shell until the shell has run an empty one.
 *
 * One signal does not suffice: a program that bash has forked and not yet
 * executed loses it to bash's own handler, and bash then waits for that
 * program, be it before or after it has printed the end marker; and bash drops
 * the line that it is reading, which may be the one that prints it.
 */
export function interruptShell(
  session: Pick<CommandSession, "kill" | "sendStdin">,
  command: { markers: CommandMarkers; hasEnded: () => boolean },
): ShellInterruption {
  const done = createDeferred<void>();
  let probe: Record<"stdout" | "stderr", MarkedStream> | undefined;
  const beganAt = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  async function interrupt(): Promise<void> {
    probe = undefined;
    await session.kill(interruptSignal);
    const markers = createCommandMarkers();
    probe = {
      stdout: createMarkedStream(markers, { hasExitCode: true, handle: ignore }),
      stderr: createMarkedStream(markers, { hasExitCode: false, handle: ignore }),
    };
    await session.sendStdin(endOfScript(command.markers) + shellScript(":", markers));
    waitForProbe(performance.now());
  }

  function waitForProbe(sentAt: number): void {
    if (isOver) return;
    timer = setTimeout(() => {
      const now = performance.now();
      if (!command.hasEnded() && now - sentAt < cleanUpMilliseconds) return waitForProbe(sentAt);
      const next = now - beganAt < graceMilliseconds ? interrupt() : session.kill();
      next.catch(done.reject);
    }, probeMilliseconds);
  }

  function giveUp(): void {
    isOver = true;
    clearTimeout(timer);
  }

  interrupt().catch(done.reject);
  return {
    take(stream, data) {
      probe?.[stream].push(data);
      if (!command.hasEnded()) return;
      if (probe?.stdout.hasEnded() !== true || !probe.stderr.hasEnded()) return;
      giveUp();
      done.resolve();
    },
    done: done.promise,
    giveUp,
  };
}

function ignore(): void {
  // An empty command has no output, and what background jobs write meanwhile is dropped.
}
