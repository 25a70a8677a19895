import type {
  CheckpointRecord,
  CreateCheckpointRequest,
  CreatedSandbox,
  ForkRequest,
  RestoredCheckpoint,
} from "@opencomputer/protocol/api";
import type { Caller } from "../orgs/api-key-repository.ts";
import type { ReplaceMachineDeps } from "../sandboxes/lifecycle/replace-machine.ts";
import type { SandboxResponses } from "../sandboxes/responses/sandbox-responses.ts";
import { findPresentSandbox, findSandbox } from "../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import { toCheckpointRecord } from "./checkpoint-record.ts";
import type { CheckpointRepository, CheckpointRow } from "./checkpoint-repository.ts";
import { awaitCheckpoint, checkpointNotFound } from "./find-checkpoint.ts";
import { type ForkCheckpointDeps, forkCheckpoint } from "./fork-checkpoint.ts";
import type { CheckpointMaker } from "./make-checkpoint.ts";
import { restoreCheckpoint } from "./restore-checkpoint.ts";

/** A checkpoint as a request names it. */
export interface NamedCheckpoint {
  sandboxId: string;
  checkpointId: string;
}

/** Checkpoints as the API's callers see them. */
export interface CheckpointService {
  /** @throws {WireError} what {@link CheckpointMaker.make} throws */
  make(sandbox: SandboxRow, request: CreateCheckpointRequest): Promise<CheckpointRecord>;
  /** Lists the checkpoints of a sandbox, oldest first, even of a killed one. @throws {WireError} `sandbox_not_found` */
  list(orgId: string, sandboxId: string): Promise<CheckpointRecord[]>;
  /** @throws {WireError} `checkpoint_not_found`, and what {@link restoreCheckpoint} throws */
  restore(orgId: string, named: NamedCheckpoint, signal: AbortSignal): Promise<RestoredCheckpoint>;
  /** @throws {WireError} `checkpoint_not_found` */
  delete(orgId: string, named: NamedCheckpoint): Promise<void>;
  /** @throws {WireError} what {@link forkCheckpoint} throws */
  fork(
    caller: Caller,
    checkpointId: string,
    request: ForkRequest,
    signal: AbortSignal,
  ): Promise<CreatedSandbox>;
}

export function createCheckpointService(deps: {
  sandboxes: SandboxRepository;
  checkpoints: CheckpointRepository;
  maker: CheckpointMaker;
  machineReplacement: ReplaceMachineDeps;
  forking: ForkCheckpointDeps;
  responses: SandboxResponses;
}): CheckpointService {
  const { sandboxes, checkpoints, maker, responses } = deps;

  /** @throws {WireError} `checkpoint_not_found`, also when it is another sandbox's. */
  async function find(
    orgId: string,
    { sandboxId, checkpointId }: NamedCheckpoint,
  ): Promise<CheckpointRow> {
    const checkpoint = await checkpoints.find(orgId, checkpointId);
    if (checkpoint?.sandboxId === sandboxId) return checkpoint;
    throw checkpointNotFound(checkpointId);
  }

  return {
    async make(sandbox, request) {
      return toCheckpointRecord(await maker.make(sandbox, request));
    },

    async list(orgId, sandboxId) {
      const rows = await checkpoints.list(orgId, sandboxId);
      if (rows.length === 0) await findSandbox(sandboxes, orgId, sandboxId);
      return rows.map(toCheckpointRecord);
    },

    async restore(orgId, named, signal) {
      await findPresentSandbox(sandboxes, orgId, named.sandboxId);
      const { id } = await find(orgId, named);
      const checkpoint = await awaitCheckpoint(checkpoints, orgId, id, signal);
      const sandbox = await findPresentSandbox(sandboxes, orgId, named.sandboxId);
      await restoreCheckpoint(deps.machineReplacement, sandbox, checkpoint);
      return { sandboxId: sandbox.id, checkpointId: id, status: "restoring" };
    },

    async delete(orgId, named) {
      const { id } = await find(orgId, named);
      await checkpoints.delete(orgId, id);
      await maker.deleteFiles(id);
    },

    async fork(caller, checkpointId, request, signal) {
      const row = await forkCheckpoint(deps.forking, caller, checkpointId, request, signal);
      return responses.created(row);
    },
  };
}
