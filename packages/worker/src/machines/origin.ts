import type { Disk } from "../disks/create-layers.ts";
import type { MachineShape } from "../vm/machine-shape.ts";

/** What a machine is made from. */
export interface Origin extends MachineShape {
  readonly imageFingerprint: string;
  readonly disk: Disk;
  /** No sandbox has used the machine before. */
  readonly isFresh: boolean;
  /** The sandbox that it continues; null when it becomes a new one. */
  readonly sandboxId: string | null;
  /** An empty layer over the disk, which is copied if it exists. */
  readonly emptyLayerPath: string;
  /** Why its memory is lost; null when it is not. */
  readonly lostBecause: string | null;
  /** Null when the machine boots from the disk. */
  readonly memory: {
    /** Where it is saved, below the data directory. */
    readonly directory: string;
    /** Identifies the machines that can load it; see `machineFingerprint`. */
    readonly machineFingerprint: string;
    /** What was plugged in when it was saved. */
    readonly cpuCount: number;
    readonly memoryMB: number;
  } | null;
}
