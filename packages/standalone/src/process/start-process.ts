import { type ChildProcess, spawn } from "node:child_process";
import { Duplex, type Readable, Writable } from "node:stream";
import { type Confinement, confinedCommand } from "./confinement.ts";
import { withGuestSockets } from "./guest-sockets.ts";
import { createLineSplitter } from "./line-splitter.ts";
import type { ProcessCgroup } from "./process-cgroup.ts";
import { noteworthy } from "./process-log.ts";

/** A longer line of output is in the log file alone. */
const lineBytesMax = 64 * 1024;
/** How long what a process left running may hold its output open. */
const outputMilliseconds = 2_000;
/** File descriptor under which a process finds the pipe for its audit lines. */
export const auditDescriptor = 3;
/** File descriptor from which a process reads its secret settings. */
export const secretsDescriptor = 4;
/** File descriptor of the channel to the supervisor, which Node takes for its IPC channel. */
export const channelDescriptor = 5;

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
  /** Where the egress proxy accepts guests' connections to any address, and which rejections it reads. */
  readonly guestSockets?: {
    readonly address: string;
    readonly port: number;
    readonly logGroup: number;
  };
  /** Whether it has a channel to the supervisor, and ends when that closes; true when absent. */
  readonly hasChannel?: boolean;
  readonly stopSignal?: NodeJS.Signals;
  /** What a person should see of a line that it prints, where these are no entries of our logs. */
  readonly noteworthy?: (line: string) => string | null;
}

export interface ProcessStreams {
  readonly log: Writable;
  /** Reads the audit lines of the process, and may write back; it has no stream for them when absent. */
  readonly readAudit?: (stream: Duplex) => void;
  readonly onNote: (text: string) => void;
}

export interface StartedProcess {
  readonly child: ChildProcess;
  /** Where messages to the process are written, as lines of JSON. */
  readonly channel: Writable | undefined;
  /** Resolves when its streams are closed and what it left running has ended, or is reported. */
  readonly ended: Promise<void>;
}

/**
 * Starts a process without core dumps, since memory may hold secrets. It
 * inherits its standard streams, the pipes for its audit lines and secrets and
 * its channel to the supervisor, and no other file descriptor. What it leaves
 * running in its control group is ended with it.
 */
export function startProcess(
  definition: ProcessDefinition,
  streams: ProcessStreams,
  cgroup: ProcessCgroup | undefined,
): StartedProcess {
  const { secrets, hasChannel = true } = definition;
  const child = spawn("prlimit", ["--core=0:0", ...wholeCommand(definition, cgroup)], {
    env: { ...definition.environment, ...(hasChannel ? channelVariables : {}) },
    stdio: [
      "ignore",
      "pipe",
      "pipe",
      streams.readAudit === undefined ? "ignore" : "pipe",
      secrets === undefined ? "ignore" : "pipe",
      hasChannel ? "pipe" : "ignore",
    ],
    // A separate process group: Ctrl-C reaches only the supervisor, which stops
    // the processes in their order.
    detached: true,
  });
  for (const output of [child.stdout, child.stderr]) {
    if (output !== null) readOutput(output, definition, streams);
  }
  const audit = child.stdio[auditDescriptor];
  if (audit instanceof Duplex) streams.readAudit?.(audit);
  const secretsPipe = child.stdio[secretsDescriptor];
  if (secretsPipe instanceof Writable) {
    // A process that ends before it has read them is started again, with a new pipe.
    secretsPipe.on("error", () => undefined);
    secretsPipe.end(JSON.stringify(secrets));
  }
  child.once("error", (error) => streams.onNote(`${definition.name}: ${error.message}`));
  const ended = new Promise<void>((resolve) => {
    let restEnded = Promise.resolve();
    child.once("exit", () => {
      restEnded = endRest(child, definition, streams, cgroup);
    });
    // Without "exit" before it when the program could not be started.
    child.once("close", () => resolve(restEnded));
  });
  return { child, channel: openChannel(child), ended };
}

/** What Node reads at its start to open its IPC channel, and removes from its environment. */
const channelVariables = {
  NODE_CHANNEL_FD: String(channelDescriptor),
  NODE_CHANNEL_SERIALIZATION_MODE: "json",
};

/**
 * The supervisor's end of the channel. It is a plain stream, not one of Node's
 * IPC channels: those keep a line in memory until it ends, however long it is.
 * The supervisor expects no message, so what the process writes is dropped.
 */
function openChannel(child: ChildProcess): Writable | undefined {
  const channel = [...child.stdio][channelDescriptor];
  if (!(channel instanceof Duplex)) return undefined;
  channel.resume();
  // The process ended while it was sent something, as its "exit" event reports.
  channel.on("error", () => undefined);
  return channel;
}

function wholeCommand(
  { command, confinement, guestSockets }: ProcessDefinition,
  cgroup: ProcessCgroup | undefined,
): string[] {
  const confined = confinement === undefined ? [...command] : confinedCommand(command, confinement);
  const started = guestSockets === undefined ? confined : withGuestSockets(confined, guestSockets);
  return cgroup === undefined ? started : cgroup.commandInside(started);
}

function readOutput(
  output: Readable,
  { name, noteworthy: isNoteworthy = noteworthy }: ProcessDefinition,
  { log, onNote }: ProcessStreams,
): void {
  output.pipe(log, { end: false });
  const splitter = createLineSplitter({
    lineBytesMax,
    onLine(line) {
      const note = isNoteworthy(line);
      if (note !== null) onNote(`${name}: ${note}`);
    },
    onBrokenLine: () =>
      onNote(`${name} printed a line of more than ${lineBytesMax} bytes: see its log`),
  });
  output.on("data", (chunk: Buffer) => splitter.push(chunk));
  // The last words of a process that crashes may lack their line break.
  output.once("end", () => splitter.push(Buffer.from("\n")));
}

/** Ends what the process left running, or at least stops waiting for its output. */
async function endRest(
  child: ChildProcess,
  { name }: ProcessDefinition,
  { onNote }: ProcessStreams,
  cgroup: ProcessCgroup | undefined,
): Promise<void> {
  const timer = setTimeout(() => {
    for (const stream of child.stdio) stream?.destroy();
  }, outputMilliseconds);
  child.once("close", () => clearTimeout(timer));
  try {
    await cgroup?.endProcesses();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    onNote(`${name}: ${error.message}`);
  }
}
