import { setTimeout as delay } from "node:timers/promises";
import { createSeededRandom, type SeededRandom } from "@opencomputer/harness";
import { SecretStore } from "@opencomputer/sdk";
import { createModel } from "./model.ts";
import { drawOperation, type Operation, type OperationContext } from "./operations.ts";
import {
  assertNoOrphans,
  endAll,
  forkEveryCheckpoint,
  lookAtAll,
  type ReconcileContext,
  type RoundRecord,
  reconcileCheckpoints,
  reconcileSandboxes,
  reconcileSecret,
} from "./reconcile.ts";
import { type ChaosService, host, parts } from "./service.ts";

const operationsPerRoundMax = 3;
const killDelayMillisecondsMax = 1500;
/** Every so many rounds all sandboxes are looked at, checkpoints forked and files counted. */
const roundsPerAudit = 10;
const victims = [
  ...["nothing", "supervisor", "control-plane", "control-plane", "control-plane"],
  ...["worker", "worker", "worker", "egress-proxy", "egress-proxy"],
  ...["machine", "machine", "machine"],
] as const;

/** Rounds of operations with a kill at a random moment, each followed by a look at what exists. */
export async function runChaos(
  service: ChaosService,
  options: { seed: string; rounds: number; onRound: (line: string) => void },
): Promise<void> {
  const random = createSeededRandom(options.seed);
  const context = await prepare(service, random);
  for (let round = 1; round <= options.rounds; round += 1) {
    const startedAt = Date.now();
    const lines: string[] = [];
    try {
      await runRound(context, lines);
      if (round % roundsPerAudit === 0) await audit(context);
    } catch (cause) {
      throw new Error(`Round ${round} of seed ${options.seed} (${lines.join("; ")})`, { cause });
    }
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    options.onRound(`round ${round}, ${seconds} s: ${lines.join("; ")}`);
  }
  await audit(context);
  await endAll(context);
  await assertNoOrphans(context);
}

async function prepare(service: ChaosService, random: SeededRandom): Promise<ReconcileContext> {
  let count = 0;
  const newWord = (prefix: string) => {
    count += 1;
    return `${prefix}-${count}`;
  };
  const connection = service.connection;
  const secretValue = newWord("canary-value");
  const name = "chaos";
  const { id } = await SecretStore.create({ ...connection(), name, egressAllowlist: [host] });
  await SecretStore.setSecret(id, "KEY", secretValue, connection());
  const model = createModel(secretValue);
  return { service, model, random, store: { id, name }, connection, newWord };
}

async function runRound(context: ReconcileContext, lines: string[]): Promise<void> {
  const { model, random, service } = context;
  const operations = drawOperations(context);
  const victim = random.pick(victims) ?? "nothing";
  const killDelay = Math.floor(random.number() * killDelayMillisecondsMax);
  const round: RoundRecord = {
    wasDisturbed: victim !== "nothing",
    doubtful: [],
    checkpointed: new Set(
      operations.filter(({ name }) => name.startsWith("checkpoint")).flatMap((one) => one.subjects),
    ),
  };
  const runs = operations.map(async ({ name, run }) => {
    const outcome = await run();
    if (outcome.status === "done") {
      lines.push(name);
      return;
    }
    const { status, code, message } = outcome.error;
    lines.push(`${name}: ${code}`);
    round.doubtful.push(name);
    if (status === 500 || !round.wasDisturbed) {
      throw new Error(`${name} failed: ${code}: ${message}`, { cause: outcome.error });
    }
  });
  const killing = delay(killDelay).then(() => strike(context, victim));
  const results = await Promise.allSettled([killing, ...runs]);
  const { what, mayBeOf } = await killing;
  lines.push(`${what} after ${killDelay} ms`);
  for (const [id, known] of model.sandboxes) {
    if (mayBeOf === "any" || mayBeOf === id) known.mayHaveLostMemory = true;
  }
  for (const result of results) if (result.status === "rejected") throw result.reason;

  await service.untilRecovered();
  if (round.doubtful.some((name) => name.startsWith("set"))) await reconcileSecret(context);
  await reconcileSandboxes(context, round);
  await reconcileCheckpoints(context, round);
  const chosen = [...model.sandboxes.values()].filter(
    (known) => random.chance(0.4) || known.mayHaveLostMemory,
  );
  await lookAtAll(context, chosen);
}

function drawOperations(context: OperationContext): Operation[] {
  const count = 1 + Math.floor(context.random.number() * operationsPerRoundMax);
  const taken = new Set<string>();
  return Array.from({ length: count }, () => {
    const operation = drawOperation(context, taken);
    for (const subject of operation.subjects) taken.add(subject);
    return operation;
  });
}

/** Kills the victim. Returns a text of what was killed, and which sandbox's machine it may have been. */
async function strike(
  { service, random }: ReconcileContext,
  victim: (typeof victims)[number],
): Promise<{ what: string; mayBeOf: string | undefined }> {
  const ofNone = { mayBeOf: undefined };
  if (victim === "nothing") return { what: "nothing killed", ...ofNone };
  if (victim === "supervisor") {
    await service.killSupervisor();
    return { what: "supervisor killed", ...ofNone };
  }
  const part = parts.find((name) => name === victim);
  if (part !== undefined && (await service.killPart(part))) {
    return { what: `${part} killed`, ...ofNone };
  }
  const machine = await service.killMachine((pids) => random.pick(pids));
  if (machine === undefined) return { what: "no machine to kill", ...ofNone };
  const { sandboxId } = machine;
  // One that waits may become a sandbox's between the look at the records and the kill.
  return { what: `machine of ${sandboxId ?? "nobody"} killed`, mayBeOf: sandboxId ?? "any" };
}

async function audit(context: ReconcileContext): Promise<void> {
  await lookAtAll(context, [...context.model.sandboxes.values()]);
  await forkEveryCheckpoint(context);
  await assertNoOrphans(context);
}
