import {
  initialScaling,
  type PrepareSandboxRequest,
  type SandboxScaling,
  type WorkerCheckpoint,
  type WorkerSandbox,
} from "@opencomputer/protocol/wire";
import { z } from "zod";

export interface FakeMachine {
  request: Omit<PrepareSandboxRequest, "sandboxId">;
  state: WorkerSandbox["state"];
  sourceAddress: string | null;
  machineId: string | null;
  files: Map<string, Buffer>;
  lostBecause: string | null;
  hookError?: string | undefined;
}

export type FakeCheckpoint = WorkerCheckpoint & { files: Map<string, Buffer> };

/** What a test can wait for, or let fail. */
export type Step =
  | "prepare"
  | "start"
  | "delete"
  | "hibernate"
  | "wake"
  | "restore"
  | "checkpoint"
  | "scale"
  | "reboot";

/** What the routes of the fake worker share. */
export interface FakeMachines {
  /** Writes down that a step begins, and waits for the test. */
  begin(step: Step, id: string, event?: string): Promise<void>;
  /** The machine of a path, with its id. @throws {WireError} `sandbox_not_found` */
  machineOf(params: unknown): [string, FakeMachine];
  describe(sandboxId: string, machine: FakeMachine): WorkerSandbox;
  /** Gives a machine another slot, and with it an id of its own. */
  freeSlot(): Pick<FakeMachine, "sourceAddress" | "machineId">;
}

export const paramsSchema = z.object({ id: z.string() });

export function sizeOf({ request: { memoryMB, scaling } }: FakeMachine): {
  memoryMB: number;
  scaling: SandboxScaling;
} {
  return { memoryMB, scaling: scaling ?? initialScaling(memoryMB) };
}
