import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Duplex, Writable } from "node:stream";
import { exitCodes, type ProcessState, type ServiceStateMessage } from "@opencomputer/protocol";
import { type Confinement, confinedCommand } from "./confinement.ts";
import { createLineSplitter } from "./line-splitter.ts";
import { noteworthy } from "./process-log.ts";

const restartDelayMillisecondsMin = 200;
const restartDelayMillisecondsMax = 30_000;
/** A process that lived this long starts over with the shortest delay. */
const steadyMilliseconds = 10_000;
const earlyExitsMax = 3;
const stopMilliseconds = 20_000;
/** A longer line of output is in the log file alone. */
const lineBytesMax = 64 * 1024;
/** File descriptor under which a process finds the pipe for its audit lines. */
export const auditDescriptor = 3;
/** File descriptor from which a process reads its secret settings. */
export const secretsDescriptor = 4;

export interface ProcessDefinition {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly environment: Record<string, string>;
  /**
   * Settings that are in no environment, since that of a process is passed on
   * to what it starts: one JSON object, on a pipe that is read once.
   */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Absent for a process that runs as root, with the view of the host that the supervisor has. */
  readonly confinement?: Confinement;
  /** Whether it has a channel to the supervisor, whose end it takes for its own; true when absent. */
  readonly channel?: boolean;
  readonly stopSignal?: NodeJS.Signals;
  /** What a person should see of a line that it prints, where these are no entries of our logs. */
  readonly noteworthy?: (line: string) => string | null;
}

export interface SupervisedProcess {
  readonly name: string;
  /** Process id of the one that runs now; undefined between two lives. */
  pid(): number | undefined;
  state(): ProcessState;
  /** Sends a message on its channel; one that has ended gets none. */
  send(message: ServiceStateMessage): void;
  /** Ends it and keeps it ended: SIGTERM or its own signal, and SIGKILL after 20 s. */
  stop(): Promise<void>;
}

export interface SuperviseOptions {
  readonly definition: ProcessDefinition;
  readonly log: Writable;
  /** Reads the audit lines of each life of the process, and may write back; it has no stream for them when absent. */
  readonly readAudit?: (stream: Duplex) => void;
  readonly onNote: (text: string) => void;
  /**
   * Whether the process is started again however often it ends early. A service
   * that has been ready comes back by itself once what it lacks, such as its
   * database, is back; one that never was has something to be put right first.
   */
  readonly mayPersist: () => boolean;
  /** Hears that the process cannot even start: three early exits in a row, or a configuration that it refuses. */
  readonly onGiveUp: (reason: string, exitCode: number) => void;
  /** Hears each change of its state. */
  readonly onChange?: () => void;
}

/**
 * Keeps one process alive: started again after it ends, at intervals that
 * grow to 30 s.
 * It inherits its standard streams, the pipe for its audit lines and its
 * channel to the supervisor, and no other file descriptor.
 */
export function superviseProcess({
  definition,
  log,
  readAudit,
  onNote,
  mayPersist,
  onGiveUp,
  onChange = () => undefined,
}: SuperviseOptions): SupervisedProcess {
  let child: ChildProcess | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let restartDelayMilliseconds = restartDelayMillisecondsMin;
  let earlyExits = 0;
  let stopping = false;
  let state: ProcessState["state"] = "running";
  let since = new Date();
  let restarts = 0;
  let lastExit: string | null = null;
  const enter = (next: ProcessState["state"]) => {
    state = next;
    since = new Date();
    onChange();
  };

  const restart = () => {
    restarts += 1;
    start();
    enter("running");
  };
  const start = () => {
    const startedAt = Date.now();
    const { confinement, secrets, channel = true } = definition;
    const program = [...definition.command];
    // No core dumps, since memory may hold secrets.
    const command = ["--core=0:0"].concat(
      confinement === undefined ? program : confinedCommand(program, confinement),
    );
    // A process group of its own, so that Ctrl-C reaches the supervisor alone
    // and the processes are stopped in their order.
    const started = spawn("prlimit", command, {
      env: definition.environment,
      stdio: [
        "ignore",
        "pipe",
        "pipe",
        readAudit === undefined ? "ignore" : "pipe",
        secrets === undefined ? "ignore" : "pipe",
        channel ? "ipc" : "ignore",
      ],
      detached: true,
    });
    child = started;
    for (const stream of [started.stdout, started.stderr]) {
      if (stream === null) continue;
      stream.pipe(log, { end: false });
      const splitter = createLineSplitter({
        lineBytesMax,
        onLine(line) {
          const note = (definition.noteworthy ?? noteworthy)(line);
          if (note !== null) onNote(`${definition.name}: ${note}`);
        },
        onBrokenLine: () =>
          onNote(
            `${definition.name} printed a line of more than ${lineBytesMax} bytes: see its log`,
          ),
      });
      stream.on("data", (chunk: Buffer) => splitter.push(chunk));
      // The last words of a process that crashes may lack their line break.
      stream.once("end", () => splitter.push(Buffer.from("\n")));
    }
    const audit = readAudit === undefined ? undefined : started.stdio[auditDescriptor];
    if (audit instanceof Duplex) readAudit?.(audit);
    const secretsPipe = secrets === undefined ? undefined : started.stdio[secretsDescriptor];
    if (secretsPipe instanceof Writable) {
      // A process that ends before it has read them is started again, with a new pipe.
      secretsPipe.on("error", () => undefined);
      secretsPipe.end(JSON.stringify(secrets));
    }
    started.once("error", (error) => onNote(`${definition.name}: ${error.message}`));
    started.once("close", (code, signal) => {
      child = undefined;
      if (stopping) return;
      const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const steady = Date.now() - startedAt >= steadyMilliseconds;
      earlyExits = steady ? 0 : earlyExits + 1;
      lastExit = ending;
      enter("restarting");
      if (!mayPersist()) {
        if (code === exitCodes.configuration) {
          onGiveUp(`${definition.name} cannot run as it is configured`, code);
          return;
        }
        if (earlyExits >= earlyExitsMax) {
          onGiveUp(
            `${definition.name} ended ${earlyExits} times right after its start (${ending})`,
            exitCodes.temporaryFailure,
          );
          return;
        }
      }
      if (steady) restartDelayMilliseconds = restartDelayMillisecondsMin;
      const often = earlyExits < earlyExitsMax ? "" : ` for the ${earlyExits}th time in a row`;
      const delaySeconds = restartDelayMilliseconds / 1000;
      onNote(
        `${definition.name} ended with ${ending}${often}; starting it again in ${delaySeconds} s`,
      );
      restartTimer = setTimeout(restart, restartDelayMilliseconds);
      restartDelayMilliseconds = Math.min(
        restartDelayMilliseconds * 2,
        restartDelayMillisecondsMax,
      );
    });
  };
  start();

  return {
    name: definition.name,
    pid: () => child?.pid,
    state: () => ({
      name: definition.name,
      state,
      since: since.toISOString(),
      restarts,
      lastExit,
    }),
    send(message) {
      // The callback takes the error of a channel that closes meanwhile.
      if (child?.connected === true) child.send(message, () => undefined);
    },
    async stop() {
      stopping = true;
      clearTimeout(restartTimer);
      if (child === undefined) return;
      const closed = once(child, "close");
      child.kill(definition.stopSignal ?? "SIGTERM");
      const killTimer = setTimeout(() => child?.kill("SIGKILL"), stopMilliseconds);
      await closed;
      clearTimeout(killTimer);
    },
  };
}
