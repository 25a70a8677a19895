import type { ProcessIdentity } from "../process/process-identity.ts";
import type { KeptMachines, MachineStart } from "./machine-start.ts";
import type { MachineAccess } from "./qemu-arguments.ts";

/** What a machine has beyond its shape: it is plugged in while the machine is paused or runs. */
export interface MachineSize {
  readonly cpuCount: number;
  readonly memoryMB: number;
}

/** Where a machine is saved: a file of its base memory, and one of the rest. */
export interface SavedFiles {
  readonly memoryPath: string;
  readonly statePath: string;
}

/** A running virtual machine. It outlives the worker; `attach` finds it again. */
export interface VirtualMachine {
  readonly process: ProcessIdentity;
  /** Stops its CPUs. A machine that is paused already is no error. */
  pause(): Promise<void>;
  /** Lets its CPUs run. A machine that runs already is no error. */
  resume(): Promise<void>;
  /** Whether it is paused because the host's disk is full. It resumes once there is space. */
  lacksStorage(): boolean;
  /**
   * Saves its base memory and the rest of its state into two new files. A
   * running machine keeps running until nearly all is saved. It is paused
   * afterwards, and may be resumed.
   *
   * @throws {Error} when it cannot be saved: its state is then as before.
   */
  save(files: SavedFiles): Promise<void>;
  /** Total time that it was paused when it was last paused or saved. */
  lastPauseMilliseconds(): number;
  /** The file that takes what its guest writes to the disk. */
  diskPath(): Promise<string>;
  /** Makes it write into an empty layer over its disk from now on. */
  writeInto(layerPath: string): Promise<void>;
  /**
   * Puts a layer under the one that it writes into, instead of layers that together
   * have the same content, while it runs. `replaced` lists them, the
   * newest first; both forms lie on `basePath`.
   */
  replaceUnder(layers: {
    layerPath: string;
    basePath: string;
    replaced: readonly string[];
  }): Promise<void>;
  /** Plugs CPUs until the machine has so many. The guest has to bring them online. */
  plugCpus(cpuCount: number): Promise<void>;
  /** Asks the guest to take memory until it has so much. */
  plugMemory(memoryMB: number): Promise<void>;
  /** How much memory the guest has taken up to now. */
  currentMemoryMB(): Promise<number>;
  growDisk(diskMB: number): Promise<void>;
  /**
   * Calls back when the machine's process has ended, for whatever reason, and
   * only then; at once when it has ended already.
   */
  onEnd(callback: () => void): void;
  /** Ends it at once, and returns when nothing of it runs. One that has ended already is no error. */
  kill(): Promise<void>;
  /** Closes the connection to it; it keeps running. */
  release(): void;
}

/** The interface to the program that runs virtual machines. */
export interface Hypervisor {
  /** The version that the installed program reports, for instance `7.2.22 (Debian 1:7.2+dfsg-7)`. */
  version(): Promise<string>;
  /**
   * Starts a machine in a slot's network namespace, with nothing else of the
   * host than its files. The directory of its monitor's socket belongs to it alone.
   * The machine is paused: where the saved one was, or before its first instruction.
   *
   * @throws {WireError} `guest_failed` when it was killed meanwhile.
   * @throws {Error} with the end of the program's own messages.
   */
  start(options: {
    start: MachineStart;
    access: MachineAccess;
    cpuCount: number;
    logPath: string;
  }): Promise<VirtualMachine>;
  /**
   * Connects to a machine of an earlier worker again, also when its monitor does
   * not respond now. Returns undefined when its process has ended.
   */
  attach(options: {
    process: ProcessIdentity;
    access: MachineAccess;
  }): Promise<VirtualMachine | undefined>;
  /** Kills every machine of the installation that is not among the kept ones. */
  endOthers(kept: KeptMachines): Promise<void>;
}
