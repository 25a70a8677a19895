import { WireError } from "@opencomputer/protocol/api";
import type { Accelerator } from "../vm/machine-shape.ts";
import type { MachinePool } from "../warm-pool/create-machine-pool.ts";

/**
 * How far a worker has come. A new certificate leads from `ready` or `failed`
 * to `preparing` again; nothing leads out of `closed`.
 */
export type ReadinessState =
  /** Adopts what an earlier worker left on the host. */
  | { readonly name: "starting" }
  /** Needs the certificate that guests are to trust. */
  | { readonly name: "waiting" }
  /** Makes what new sandboxes start from; `stage` says what happens now. */
  | { readonly name: "preparing"; readonly stage: string }
  | {
      readonly name: "ready";
      /** Warm machines for new sandboxes. */
      readonly pool: MachinePool;
      /** Disk of the image, which every new guest has at least. */
      readonly imageDiskMB: number;
    }
  | { readonly name: "failed"; readonly reason: string }
  | { readonly name: "closed" };

/** The state of a worker, and what depends on it. */
export interface Readiness {
  readonly state: () => ReadinessState;
  /** Has no effect once it is `closed`. */
  enter(state: ReadinessState): void;
  /** Remembers what runs machines here, which later states keep. */
  setAccelerator(accelerator: Accelerator): void;
  /** The pool of warm machines. @throws {WireError} `worker_unavailable` unless it is `ready`. */
  pool(): MachinePool;
  /** The disk of the image while it is `ready`, otherwise 0. */
  imageDiskMB(): number;
  describe(): {
    ready: boolean;
    stage: string;
    failure: string | null;
    accelerator: Accelerator | null;
  };
}

export function createReadiness(): Readiness {
  let current: ReadinessState = { name: "starting" };
  let accelerator: Accelerator | null = null;

  return {
    state: () => current,
    enter(state) {
      if (current.name !== "closed") current = state;
    },
    setAccelerator(chosen) {
      accelerator = chosen;
    },
    pool() {
      if (current.name === "ready") return current.pool;
      throw new WireError(
        "worker_unavailable",
        current.name === "failed"
          ? `The worker cannot create sandboxes: ${current.reason}`
          : `The worker is not ready yet: ${stageOf(current)}. Try again in a few seconds`,
      );
    },
    imageDiskMB: () => (current.name === "ready" ? current.imageDiskMB : 0),
    describe: () => ({
      ready: current.name === "ready",
      stage: stageOf(current),
      failure: current.name === "failed" ? current.reason : null,
      accelerator,
    }),
  };
}

function stageOf(state: ReadinessState): string {
  if (state.name === "preparing") return state.stage;
  if (state.name === "waiting") return "waiting for the control plane's certificate";
  return state.name;
}
