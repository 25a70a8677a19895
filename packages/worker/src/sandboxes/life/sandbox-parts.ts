import type { Tracer } from "@opencomputer/process";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { Machine } from "../../machines/machine.ts";
import type { Slots } from "../../network/create-slots.ts";
import type { UsageMeter } from "../../usage/create-usage-meter.ts";
import type { RestoreParts } from "../machine/restore-machines.ts";
import type { RunningDisks } from "../machine/running-disks.ts";
import type { SandboxRegistry, SaveMachine } from "../registry/sandbox-registry.ts";

/** What the steps in the life of a sandbox work with. */
export interface SandboxParts extends RestoreParts {
  readonly registry: SandboxRegistry;
  readonly runningDisks: RunningDisks;
  readonly slots: Pick<Slots, "setMode">;
  readonly saveMachine: SaveMachine;
  /** A paused machine of the current golden snapshot, from the pool or a new one. */
  readonly takeMachine: () => Promise<Machine>;
  /** @throws {WireError} `unsupported_option` for a size that the host cannot give. */
  readonly checkSize: (spec: PrepareSandboxRequest) => void;
  /** In milliseconds, from any point on. */
  readonly now: () => number;
  readonly tracer: Tracer;
  readonly usageMeter: Pick<UsageMeter, "readLast">;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}
