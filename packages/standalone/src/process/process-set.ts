import type { Writable } from "node:stream";
import type { SupervisorMessage } from "@opencomputer/protocol/wire";
import type { Installation } from "../installation/installation.ts";
import { findCgroupParent, ProcessCgroup } from "./process-cgroup.ts";
import { openProcessLog } from "./process-log.ts";
import { ownUsage, readProcessUsage } from "./process-usage.ts";
import type { ProcessDefinition, ProcessStreams } from "./start-process.ts";
import { SupervisedProcess } from "./supervised-process.ts";

const usageMilliseconds = 5_000;

/** Why the service cannot run, with the exit code for it. */
export class ServiceFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = "ServiceFailure";
    this.exitCode = exitCode;
  }
}

interface ProcessSetOptions {
  readonly installation: Pick<Installation, "id" | "logDirectory">;
  /** The process that is sent the states of all, and what some use. */
  readonly stateReader: string;
  readonly onNote: (text: string) => void;
}

/** The processes of one installation, in the order of their start. */
export class ProcessSet {
  readonly #options: ProcessSetOptions;
  readonly #cgroupParent: string | undefined;
  readonly #running: SupervisedProcess[] = [];
  readonly #ending = new AbortController();
  #mayPersist = false;
  #measuring: NodeJS.Timeout | undefined;

  private constructor(options: ProcessSetOptions, cgroupParent: string | undefined) {
    this.#options = options;
    this.#cgroupParent = cgroupParent;
  }

  static async open(options: ProcessSetOptions): Promise<ProcessSet> {
    const cgroupParent = await findCgroupParent();
    if (cgroupParent === undefined) {
      options.onNote(
        "Control groups cannot be used: what a process of the service leaves running is not ended with it.",
      );
    }
    return new ProcessSet(options, cgroupParent);
  }

  /** Aborted when a process cannot run, with a `ServiceFailure`, or when all are stopped. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  openLog({ name }: ProcessDefinition): Writable {
    const { installation, onNote } = this.#options;
    return openProcessLog({ directory: installation.logDirectory, name, onNote });
  }

  /** Starts a process and keeps it alive, in a separate control group if it is confined. */
  async start(
    definition: ProcessDefinition,
    streams: Partial<Pick<ProcessStreams, "log" | "readAudit">> = {},
  ): Promise<void> {
    this.ending.throwIfAborted();
    const cgroup = await this.#cgroupFor(definition);
    if (this.ending.aborted) await cgroup?.remove();
    this.ending.throwIfAborted();
    const supervised = SupervisedProcess.start({
      ...streams,
      log: streams.log ?? this.openLog(definition),
      definition,
      cgroup,
      onNote: this.#options.onNote,
      mayPersist: () => this.#mayPersist,
      onGiveUp: (reason, exitCode) => this.#giveUp(definition, reason, exitCode),
      onChange: () => this.#reportStates(),
    });
    this.#running.push(supervised);
    this.#reportStates();
  }

  /** From now on a process is started again however often it ends. */
  persist(): void {
    this.#mayPersist = true;
  }

  /** From now on sends the reader every few seconds what the supervisor and the named processes use. */
  measure(names: readonly string[]): void {
    this.#measuring = setInterval(() => this.#reportUsage(names), usageMilliseconds);
    this.#reportUsage(names);
  }

  isRestarting(name: string): boolean {
    return this.#running.some(
      (supervised) => supervised.name === name && supervised.state().state === "restarting",
    );
  }

  /** Ends the named processes and starts each again, one after the other. */
  async replace(names: readonly string[]): Promise<void> {
    for (const supervised of this.#running) {
      if (names.includes(supervised.name)) await supervised.replace();
    }
  }

  /** Stops every process, in the reverse order of their start. */
  async stop(): Promise<void> {
    clearInterval(this.#measuring);
    this.#ending.abort(new Error("The service was stopped before it was ready"));
    for (const supervised of this.#running.reverse()) await supervised.stop();
  }

  async #cgroupFor({ name, confinement }: ProcessDefinition): Promise<ProcessCgroup | undefined> {
    if (confinement === undefined || this.#cgroupParent === undefined) return undefined;
    const groupName = `opencomputer-${this.#options.installation.id}-${name}`;
    return ProcessCgroup.create(this.#cgroupParent, groupName);
  }

  #giveUp({ name }: ProcessDefinition, reason: string, exitCode: number): void {
    const message = `${reason}; see ${this.#options.installation.logDirectory}/${name}.log`;
    this.#ending.abort(new ServiceFailure(message, exitCode));
  }

  #reportStates(): void {
    const processes = this.#running.map((supervised) => supervised.state());
    this.#sendReader({ type: "service-state", processes });
  }

  #reportUsage(names: readonly string[]): void {
    const reads = this.#running.map(async (supervised) => {
      const processId = supervised.pid();
      if (processId === undefined || !names.includes(supervised.name)) return undefined;
      return readProcessUsage(supervised.name, processId);
    });
    Promise.all(reads).then(
      (usages) => {
        const found = usages.filter((usage) => usage !== undefined);
        const processes = [ownUsage("supervisor"), ...found];
        this.#sendReader({ type: "process-usage", processes });
      },
      (error: unknown) => this.#options.onNote(`The use of processes cannot be read: ${error}`),
    );
  }

  #sendReader(message: SupervisorMessage): void {
    for (const supervised of this.#running) {
      if (supervised.name === this.#options.stateReader) supervised.send(message);
    }
  }
}
