import type { SeededRandom } from "@opencomputer/harness";
import { OpenComputerError, Sandbox, SecretStore } from "@opencomputer/sdk";
import { type KnownCheckpoint, type KnownSandbox, type Model, union } from "./model.ts";

const sandboxesMax = 4;
const checkpointsMax = 4;

/** One call of the API, about to be made. */
export interface Operation {
  name: string;
  /** What no other operation of the round may be about. */
  subjects: string[];
  /** Makes the call and notes in the model what is certain, and what is not, after it. */
  run(): Promise<Outcome>;
}

/** `done` was acknowledged; `doubtful` has no response, or one that reports a failure. */
export type Outcome = { status: "done" } | { status: "doubtful"; error: OpenComputerError };

export interface OperationContext {
  model: Model;
  random: SeededRandom;
  store: { id: string; name: string };
  connection(): { apiUrl: string; apiKey: string };
  /** A word that was never used before. */
  newWord(prefix: string): string;
}

/** Draws an operation that the model allows. */
export function drawOperation(context: OperationContext, taken: ReadonlySet<string>): Operation {
  const { model, random } = context;
  const known = random.pick([...model.sandboxes.values()].filter((one) => !taken.has(idOf(one))));
  const checkpoint = random.pick(
    [...model.checkpoints.values()].filter((one) => !taken.has(one.id)),
  );
  const hasRoom = model.sandboxes.size + taken.size < sandboxesMax;
  const own = [...model.checkpoints.values()].filter(
    (one) => !taken.has(one.id) && known !== undefined && one.owner.sandboxId === idOf(known),
  );
  const ownCheckpoint = random.pick(own);
  const candidates: (Operation | undefined)[] = [
    hasRoom ? create(context) : undefined,
    hasRoom && checkpoint !== undefined ? fork(context, checkpoint) : undefined,
    hasRoom && checkpoint !== undefined ? fork(context, checkpoint) : undefined,
    taken.has(context.store.id) ? undefined : rotate(context),
    ...(known === undefined
      ? []
      : [
          write(context, known),
          hibernate(known),
          hibernate(known),
          wake(known),
          model.checkpoints.size < checkpointsMax ? makeCheckpoint(context, known) : undefined,
          model.checkpoints.size < checkpointsMax ? makeCheckpoint(context, known) : undefined,
          ownCheckpoint === undefined ? undefined : restore(known, ownCheckpoint),
          ownCheckpoint === undefined ? undefined : restore(known, ownCheckpoint),
          hasRoom ? undefined : kill(context, known),
        ]),
    checkpoint !== undefined && model.checkpoints.size >= checkpointsMax
      ? deleteCheckpoint(context, checkpoint)
      : undefined,
  ];
  return random.pick(candidates.filter((one) => one !== undefined)) ?? create(context);
}

/** Distinguishes what the service reports from what is wrong with the test. */
async function attempt(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    await call();
    return { status: "done" };
  } catch (error) {
    if (error instanceof OpenComputerError) return { status: "doubtful", error };
    throw error;
  }
}

function create({ model, store, connection, newWord }: OperationContext): Operation {
  return {
    name: "create",
    subjects: [newWord("new")],
    run: () =>
      attempt(async () => {
        const options = { ...connection(), secretStore: store.name, timeout: 0 };
        const sandbox = await Sandbox.create(options);
        model.sandboxes.set(sandbox.sandboxId, {
          sandbox,
          disk: new Set([""]),
          memory: new Set([""]),
          mayHaveLostMemory: false,
          token: undefined,
        });
      }),
  };
}

function fork({ model, connection }: OperationContext, checkpoint: KnownCheckpoint): Operation {
  return {
    name: `fork ${checkpoint.id}`,
    subjects: [checkpoint.id],
    run: () =>
      attempt(async () => {
        const options = { ...connection(), timeout: 0 };
        const sandbox = await Sandbox.createFromCheckpoint(checkpoint.id, options);
        model.sandboxes.set(sandbox.sandboxId, {
          sandbox,
          disk: new Set(checkpoint.disk),
          memory: new Set(checkpoint.memory),
          mayHaveLostMemory: false,
          token: checkpoint.token,
        });
      }),
  };
}

function write({ newWord }: OperationContext, known: KnownSandbox): Operation {
  const word = newWord("written");
  const before = { disk: known.disk, memory: known.memory };
  return {
    name: `write ${idOf(known)}`,
    subjects: [idOf(known)],
    async run() {
      known.disk = union(before.disk, new Set([word]));
      const outcome = await attempt(async () => {
        const result = await known.sandbox.exec.run(
          `echo ${word} > /workspace/next && sync && mv /workspace/next /workspace/word && sync`,
        );
        if (result.exitCode !== 0) throw new Error(`A file was not written: ${result.stderr}`);
      });
      if (outcome.status === "done") known.disk = new Set([word]);
      return outcome;
    },
  };
}

/** A caller sends a value again until it is acknowledged: from then on it holds. */
function rotate({ model, store, connection, newWord }: OperationContext): Operation {
  const value = newWord("canary-value");
  return {
    name: "set the secret again",
    subjects: [store.id],
    async run() {
      const call = () => SecretStore.setSecret(store.id, "KEY", value, connection());
      model.secretValue = value;
      return attempt(call);
    },
  };
}

function hibernate(known: KnownSandbox): Operation {
  return {
    name: `hibernate ${idOf(known)}`,
    subjects: [idOf(known)],
    run: () => attempt(() => known.sandbox.hibernate()),
  };
}

function wake(known: KnownSandbox): Operation {
  return {
    name: `wake ${idOf(known)}`,
    subjects: [idOf(known)],
    run: () => attempt(() => known.sandbox.wake()),
  };
}

/** Its checkpoints are taken into the model when they are seen ready. */
function makeCheckpoint({ random, newWord }: OperationContext, known: KnownSandbox): Operation {
  const kind = random.chance(0.7) ? "full" : "disk_only";
  return {
    name: `checkpoint ${kind} ${idOf(known)}`,
    subjects: [idOf(known)],
    run: () => attempt(() => known.sandbox.createCheckpoint(newWord("checkpoint"), { kind })),
  };
}

function restore(known: KnownSandbox, checkpoint: KnownCheckpoint): Operation {
  const before = { disk: known.disk, memory: known.memory };
  return {
    name: `restore ${idOf(known)} to ${checkpoint.id}`,
    subjects: [idOf(known), checkpoint.id],
    async run() {
      known.disk = union(before.disk, checkpoint.disk);
      known.memory = union(before.memory, checkpoint.memory);
      const outcome = await attempt(() => known.sandbox.restoreCheckpoint(checkpoint.id));
      if (outcome.status === "done") {
        known.disk = new Set(checkpoint.disk);
        known.memory = new Set(checkpoint.memory);
      }
      return outcome;
    },
  };
}

function deleteCheckpoint({ model }: OperationContext, checkpoint: KnownCheckpoint): Operation {
  return {
    name: `delete checkpoint ${checkpoint.id}`,
    subjects: [checkpoint.id, checkpoint.owner.sandboxId],
    run: () =>
      attempt(async () => {
        await checkpoint.owner.deleteCheckpoint(checkpoint.id);
        model.checkpoints.delete(checkpoint.id);
      }),
  };
}

function kill({ model }: OperationContext, known: KnownSandbox): Operation {
  return {
    name: `kill ${idOf(known)}`,
    subjects: [idOf(known)],
    run: () =>
      attempt(async () => {
        await known.sandbox.kill();
        model.sandboxes.delete(idOf(known));
        model.killed.set(idOf(known), known.sandbox);
      }),
  };
}

function idOf(known: KnownSandbox): string {
  return known.sandbox.sandboxId;
}
