import type { ProcessState } from "@opencomputer/protocol/api";
import { exitCodes, type SupervisorMessage } from "@opencomputer/protocol/wire";
import type { ProcessCgroup } from "./process-cgroup.ts";
import {
  type ProcessDefinition,
  type ProcessStreams,
  type StartedProcess,
  startProcess,
} from "./start-process.ts";

const restartDelayMillisecondsMin = 200;
const restartDelayMillisecondsMax = 30_000;
/** A process that lived this long starts over with the shortest delay. */
const steadyMilliseconds = 10_000;
const earlyExitsMax = 3;
const stopMilliseconds = 20_000;
/** A process that leaves this much unread is sent nothing more. */
const unreadBytesMax = 1024 * 1024;

export interface SuperviseOptions extends ProcessStreams {
  readonly definition: ProcessDefinition;
  /** The group that the process runs in; undefined where the host has none for it. */
  readonly cgroup?: ProcessCgroup | undefined;
  /**
   * Whether the process is started again however often it ends early. A service
   * that has been ready recovers by itself once what it lacks, such as its
   * database, is back; one that never was needs a person to correct something first.
   */
  readonly mayPersist: () => boolean;
  /** Called when the process cannot even start: three early exits in a row, or a configuration that it refuses. */
  readonly onGiveUp: (reason: string, exitCode: number) => void;
  /** Called after each change of its state. */
  readonly onChange?: () => void;
}

type Life =
  | { readonly kind: "running"; readonly process: StartedProcess }
  /** It was asked to end, so that its successor can start at once. */
  | { readonly kind: "replacing"; readonly process: StartedProcess }
  | {
      readonly kind: "restarting";
      /** The one that ended. */
      readonly process: StartedProcess;
      readonly timer: NodeJS.Timeout;
    }
  | { readonly kind: "given-up" }
  | { readonly kind: "stopped" };

interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly livedMilliseconds: number;
}

/** Keeps one process alive: it is started again after it ends, at intervals that grow to 30 s. */
export class SupervisedProcess {
  readonly #options: SuperviseOptions;
  #life: Life;
  #since = new Date();
  #restartDelayMilliseconds = restartDelayMillisecondsMin;
  /** Exits in a row, each before the process was steady. */
  #earlyExits = 0;
  #restarts = 0;
  #lastExit: string | null = null;

  private constructor(options: SuperviseOptions) {
    this.#options = options;
    this.#life = this.#start();
  }

  static start(options: SuperviseOptions): SupervisedProcess {
    return new SupervisedProcess(options);
  }

  get name(): string {
    return this.#options.definition.name;
  }

  /** The process id of the running process; undefined when none runs. */
  pid(): number | undefined {
    return this.#life.kind === "running" ? this.#life.process.child.pid : undefined;
  }

  state(): ProcessState {
    return {
      name: this.name,
      state: this.#life.kind === "running" ? "running" : "restarting",
      since: this.#since.toISOString(),
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    };
  }

  /** Sends a message on its channel. A process that has ended, or does not read, gets none. */
  send(message: SupervisorMessage): void {
    if (this.#life.kind !== "running") return;
    const { channel } = this.#life.process;
    if (channel?.writable !== true || channel.writableLength > unreadBytesMax) return;
    channel.write(`${JSON.stringify(message)}\n`);
  }

  /**
   * Ends the process and starts it again without a delay, however often it
   * ended before. Resolves when it is started.
   */
  async replace(): Promise<void> {
    const life = this.#life;
    this.#earlyExits = 0;
    this.#restartDelayMilliseconds = restartDelayMillisecondsMin;
    if (life.kind === "given-up" || life.kind === "stopped") return;
    if (life.kind === "restarting") clearTimeout(life.timer);
    // While it is replaced already, its successor starts later than this call.
    const replacing: Life =
      life.kind === "replacing" ? life : { kind: "replacing", process: life.process };
    if (life !== replacing) this.#enter(replacing);
    if (life.kind === "running") await this.#end(life.process);
    await life.process.ended;
    if (this.#life === replacing) this.#restart();
  }

  /** Ends the process for good: with SIGTERM or its own stop signal, and with SIGKILL after 20 s. */
  async stop(): Promise<void> {
    const life = this.#life;
    this.#life = { kind: "stopped" };
    if (life.kind === "restarting") clearTimeout(life.timer);
    if (life.kind === "running" || life.kind === "replacing") await this.#end(life.process);
    await this.#removeGroup();
  }

  async #end({ child, ended }: StartedProcess): Promise<void> {
    child.kill(this.#options.definition.stopSignal ?? "SIGTERM");
    const killTimer = setTimeout(() => child.kill("SIGKILL"), stopMilliseconds);
    await ended;
    clearTimeout(killTimer);
  }

  /** Reports a group that cannot be removed, since the other processes must be stopped all the same. */
  async #removeGroup(): Promise<void> {
    try {
      await this.#options.cgroup?.endProcesses();
      await this.#options.cgroup?.remove();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#options.onNote(`${this.name}: ${error.message}`);
    }
  }

  #start(): Life {
    const { definition, cgroup } = this.#options;
    const started = startProcess(definition, this.#options, cgroup);
    const startedAt = Date.now();
    started.child.once("close", (code, signal) => {
      if (this.#life.kind !== "running") return;
      this.#ended(started, { code, signal, livedMilliseconds: Date.now() - startedAt });
    });
    return { kind: "running", process: started };
  }

  #ended(process: StartedProcess, { code, signal, livedMilliseconds }: ProcessExit): void {
    const isSteady = livedMilliseconds >= steadyMilliseconds;
    this.#earlyExits = isSteady ? 0 : this.#earlyExits + 1;
    if (isSteady) this.#restartDelayMilliseconds = restartDelayMillisecondsMin;
    this.#lastExit = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const failure = this.#options.mayPersist() ? undefined : this.#failureAfter(code);
    if (failure !== undefined) {
      this.#enter({ kind: "given-up" });
      this.#options.onGiveUp(failure.reason, failure.exitCode);
      return;
    }
    const delayMilliseconds = this.#restartDelayMilliseconds;
    this.#restartDelayMilliseconds = Math.min(delayMilliseconds * 2, restartDelayMillisecondsMax);
    const restarting: Life = {
      kind: "restarting",
      process,
      timer: setTimeout(async () => {
        // A successor in the same control group would be killed with what is left there.
        await process.ended;
        if (this.#life === restarting) this.#restart();
      }, delayMilliseconds),
    };
    this.#enter(restarting);
    const often =
      this.#earlyExits < earlyExitsMax ? "" : ` for the ${this.#earlyExits}th time in a row`;
    this.#options.onNote(
      `${this.name} ended with ${this.#lastExit}${often}; starting it again in ${delayMilliseconds / 1000} s`,
    );
  }

  /** Why the process is not started again after this exit; undefined when it is. */
  #failureAfter(code: number | null): { reason: string; exitCode: number } | undefined {
    if (code === exitCodes.configuration) {
      return { reason: `${this.name} cannot run as it is configured`, exitCode: code };
    }
    if (this.#earlyExits < earlyExitsMax) return undefined;
    const exits = `${this.#earlyExits} times right after its start (${this.#lastExit})`;
    return { reason: `${this.name} ended ${exits}`, exitCode: exitCodes.temporaryFailure };
  }

  #restart(): void {
    this.#restarts += 1;
    this.#enter(this.#start());
  }

  #enter(life: Life): void {
    this.#life = life;
    this.#since = new Date();
    this.#options.onChange?.();
  }
}
