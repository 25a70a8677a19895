import { setTimeout as delay } from "node:timers/promises";
import { listOrphans } from "@opencomputer/harness";
import { Sandbox, SecretStore } from "@opencomputer/sdk";
import { lookAt, NotYet, patienceMilliseconds, untilReturned } from "./look.ts";
import { type KnownSandbox, union } from "./model.ts";
import type { OperationContext } from "./operations.ts";
import type { ChaosService } from "./service.ts";

const pollMilliseconds = 250;

/** What happened in a round, as far as it decides what may be found after it. */
export interface RoundRecord {
  /** Something was killed: a call may have failed. */
  wasDisturbed: boolean;
  /** Beginnings of the names of operations without an acknowledgement. */
  doubtful: string[];
  /** Sandboxes of which a checkpoint was asked for. */
  checkpointed: Set<string>;
}

export interface ReconcileContext extends OperationContext {
  service: ChaosService;
}

/** Sets the secret until its value is acknowledged. */
export async function reconcileSecret(context: ReconcileContext): Promise<void> {
  const { model, store, connection } = context;
  await untilReturned("the secret is set", async () => {
    await SecretStore.setSecret(store.id, "KEY", model.secretValue, connection());
    return true;
  });
}

/** No checkpoint stays incomplete; each that was seen ready exists and is ready. */
export async function reconcileCheckpoints(
  context: ReconcileContext,
  round: RoundRecord,
): Promise<void> {
  const { model } = context;
  const owners = new Map<string, Sandbox>();
  for (const { sandbox } of model.sandboxes.values()) owners.set(sandbox.sandboxId, sandbox);
  for (const { owner } of model.checkpoints.values()) owners.set(owner.sandboxId, owner);
  const listed = new Set<string>();
  for (const owner of owners.values()) {
    const rows = await untilReturned(`checkpoints of ${owner.sandboxId} are finished`, async () => {
      const all = await owner.listCheckpoints();
      return all.some(({ status }) => status === "processing") ? new NotYet("processing") : all;
    });
    for (const { id, status, kind, name } of rows) {
      const isKnown = model.checkpoints.has(id);
      if (status === "ready") {
        listed.add(id);
        if (isKnown) continue;
        const known = model.sandboxes.get(owner.sandboxId);
        if (known === undefined || !round.checkpointed.has(owner.sandboxId)) {
          throw new Error(`Nobody asked for checkpoint ${name} of ${owner.sandboxId}`);
        }
        const memory = kind === "full" ? known.memory : new Set<string>();
        const maybeNone = kind === "full" && !known.mayHaveLostMemory ? [] : [""];
        model.checkpoints.set(id, {
          id,
          owner,
          disk: new Set(known.disk),
          memory: union(memory, new Set(maybeNone)),
          token: known.token,
        });
        continue;
      }
      if (isKnown || !round.wasDisturbed) throw new Error(`Checkpoint ${id} is ${status}`);
      await owner.deleteCheckpoint(id);
    }
  }
  for (const id of [...model.checkpoints.keys()]) {
    if (listed.has(id)) continue;
    if (!round.doubtful.some((name) => name === `delete checkpoint ${id}`)) {
      throw new Error(`Checkpoint ${id} is lost`);
    }
    model.checkpoints.delete(id);
  }
}

/**
 * Every sandbox of the model is listed. Any other comes from a create without a
 * response: it works, and is killed.
 */
export async function reconcileSandboxes(
  context: ReconcileContext,
  round: RoundRecord,
): Promise<void> {
  const { model, connection } = context;
  const rows = await untilReturned("sandboxes are listed", () => Sandbox.list(connection()));
  const listed = new Set(rows.map(({ sandboxID }) => sandboxID));
  for (const [id, { sandbox }] of [...model.sandboxes]) {
    if (listed.has(id)) continue;
    if (!round.doubtful.includes(`kill ${id}`)) throw new Error(`Sandbox ${id} is lost`);
    model.sandboxes.delete(id);
    model.killed.set(id, sandbox);
  }
  for (const id of listed) {
    if (model.sandboxes.has(id)) continue;
    if (model.killed.has(id)) throw new Error(`Sandbox ${id} was killed, and is listed again`);
    if (!round.doubtful.some((name) => /^(create|fork)/.test(name))) {
      throw new Error(`Sandbox ${id} is listed, and nobody made it`);
    }
    await useUp(context, await Sandbox.connect(id, connection()));
  }
}

/** Uses a sandbox of unknown content once, and kills it. */
async function useUp({ model }: ReconcileContext, sandbox: Sandbox): Promise<void> {
  const { exitCode } = await untilReturned(`${sandbox.sandboxId} responds`, () =>
    sandbox.exec.run("true"),
  );
  if (exitCode !== 0) throw new Error(`Sandbox ${sandbox.sandboxId} exists and does not work`);
  await killSurely(sandbox);
  model.killed.set(sandbox.sandboxId, sandbox);
}

async function killSurely(sandbox: Sandbox): Promise<void> {
  await untilReturned(`${sandbox.sandboxId} is killed`, async () => {
    await sandbox.kill();
    return true;
  });
}

export async function lookAtAll(
  { model, service, newWord }: ReconcileContext,
  chosen: readonly KnownSandbox[],
): Promise<void> {
  const { internet } = service;
  const { secretValue } = model;
  await Promise.all(chosen.map((known) => lookAt(known, { internet, secretValue, newWord })));
}

/** A fork of each checkpoint is as its parent was. */
export async function forkEveryCheckpoint(context: ReconcileContext): Promise<void> {
  const { model, connection } = context;
  for (const checkpoint of model.checkpoints.values()) {
    const sandbox = await Sandbox.createFromCheckpoint(checkpoint.id, {
      ...connection(),
      timeout: 0,
    });
    const fork: KnownSandbox = {
      sandbox,
      disk: new Set(checkpoint.disk),
      memory: new Set(checkpoint.memory),
      mayHaveLostMemory: false,
      token: checkpoint.token,
    };
    await lookAtAll(context, [fork]);
    await killSurely(sandbox);
    model.killed.set(sandbox.sandboxId, sandbox);
  }
}

/** Everything on the host belongs to a sandbox, once changes in progress are complete. */
export async function assertNoOrphans({ service }: ReconcileContext): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  const look = async () => {
    const { id, dataDirectory, pidsOf } = service.installation();
    const workerPids = await pidsOf("worker");
    return listOrphans({ id, dataDirectory, workerPids }).catch(whileChanging);
  };
  for (let orphans = await look(); orphans.length > 0; orphans = await look()) {
    if (Date.now() > deadline) throw new Error(`Without an owner: ${orphans.join("; ")}`);
    await delay(pollMilliseconds);
  }
}

/** Directories come and go while machines are made. */
function whileChanging(error: unknown): string[] {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return [error.message];
  throw error;
}

/** Ends all that the model knows. */
export async function endAll({ model }: ReconcileContext): Promise<void> {
  for (const { id, owner } of model.checkpoints.values()) await owner.deleteCheckpoint(id);
  for (const { sandbox } of model.sandboxes.values()) await killSurely(sandbox);
}
