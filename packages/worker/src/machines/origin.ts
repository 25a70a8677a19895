import type { Disk } from "../disks/create-layers.ts";
import type { GoldenSnapshot } from "../golden/golden-snapshot.ts";
import type { MachineShape } from "../vm/machine-shape.ts";

/** What a machine is made of. */
export interface Origin extends MachineShape {
  readonly imageFingerprint: string;
  readonly disk: Disk;
  /** Nobody has used the machine before. */
  readonly isFresh: boolean;
  /** The sandbox that it is again; null when it becomes a new one. */
  readonly sandboxId: string | null;
  /** An empty layer over the disk, to be copied when it is there. */
  readonly emptyLayerPath: string;
  /** Why there is no memory, when there was some. */
  readonly lostBecause: string | null;
  /** Null when the machine boots from the disk. */
  readonly memory: {
    /** Where it is saved, below the data directory. */
    readonly directory: string;
    /** Which QEMU can load it; see `machineFingerprint`. */
    readonly machineFingerprint: string;
    /** What was plugged in when it was saved. */
    readonly cpuCount: number;
    readonly memoryMB: number;
  } | null;
}

/** A fresh machine. */
export function freshMachine(golden: GoldenSnapshot, shape: MachineShape): Origin {
  const { imageFingerprint, machineFingerprint } = golden;
  return {
    ...shape,
    imageFingerprint,
    disk: { goldenFingerprint: golden.fingerprint, layers: [], sizeMB: golden.diskMB },
    emptyLayerPath: golden.overlayPath,
    isFresh: true,
    sandboxId: null,
    lostBecause: null,
    memory: {
      directory: `golden/${golden.fingerprint}`,
      machineFingerprint,
      cpuCount: 1,
      memoryMB: shape.baseMemoryMB,
    },
  };
}
