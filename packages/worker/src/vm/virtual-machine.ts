import type { KeptMachines, MachineStart } from "../host/host-wire.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import type { MachineAccess } from "./qemu-arguments.ts";

/** What a machine has beyond its shape, plugged in while it stands or runs. */
export interface MachineSize {
  readonly cpuCount: number;
  readonly memoryMB: number;
}

/** Where a machine is saved: its base memory, of the same size, and the rest. */
export interface SavedFiles {
  readonly memoryPath: string;
  readonly statePath: string;
}

/** A running virtual machine. It outlives the worker; `attach` finds it again. */
export interface VirtualMachine {
  readonly process: ProcessIdentity;
  /** Stops its CPUs; done already is no error. */
  pause(): Promise<void>;
  /** Lets its CPUs run; done already is no error. */
  resume(): Promise<void>;
  /** Whether it stands still because the host's disk is full. It goes on by itself when it is not. */
  lacksStorage(): boolean;
  /**
   * Saves its base memory and the rest of its state into two new files. A
   * running machine runs on until nearly all is saved. Afterwards it stands
   * paused, and may resume.
   *
   * @throws {Error} when it cannot be saved: it then is as it was.
   */
  save(files: SavedFiles): Promise<void>;
  /** How long it stood still altogether when it was last paused, or saved. */
  lastPauseMilliseconds(): number;
  /** The file that takes what its guest writes to the disk. */
  diskPath(): Promise<string>;
  /** From now on it writes into an empty layer over its disk. */
  writeInto(layerPath: string): Promise<void>;
  /**
   * Puts a layer under the one that it writes into, in the place of those that
   * together have the same content; it runs on. `replaced` lists them, the
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
   * Calls back when the machine's process has ended, by itself or killed, and
   * for nothing else. At once when it has already.
   */
  onEnd(callback: () => void): void;
  /** Ends it at once, and returns when nothing of it runs. Done already is no error. */
  kill(): Promise<void>;
  /** Lets go of it; it goes on. */
  release(): void;
}

/** The seam to what runs virtual machines. */
export interface Hypervisor {
  /** What the installed program calls itself, for instance `7.2.22 (Debian 1:7.2+dfsg-7)`. */
  version(): Promise<string>;
  /**
   * Starts a machine in a slot's network namespace, with nothing else of the
   * host but its files. The directory of its monitor's socket is its own. It
   * is paused: where the saved machine was, or before its first instruction.
   *
   * @throws {WireError} `guest_failed` when somebody killed it meanwhile.
   * @throws {Error} with the end of the program's own messages.
   */
  start(options: {
    start: MachineStart;
    access: MachineAccess;
    cpuCount: number;
    logPath: string;
  }): Promise<VirtualMachine>;
  /**
   * Finds a machine of an earlier worker again, also one whose monitor does not
   * answer now; undefined when its process has ended.
   */
  attach(options: {
    process: ProcessIdentity;
    access: MachineAccess;
  }): Promise<VirtualMachine | undefined>;
  /** Kills every machine of the installation that is not among the kept ones. */
  endOthers(kept: KeptMachines): Promise<void>;
}
