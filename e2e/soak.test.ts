import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  createSeededRandom,
  listOrphans,
  type Scenario,
  startScenario,
} from "@opencomputer/harness";
import { host, type SoakContext, secretValue } from "./soak/actions.ts";
import { formatMeasurements, type Measurement, measure, serviceMemory } from "./soak/measure.ts";
import { runSoak } from "./soak/run-soak.ts";

const hours = Number(process.env["OPENCOMPUTER_SOAK_HOURS"] || "0.003");
const intervalSeconds = Number(process.env["OPENCOMPUTER_SOAK_INTERVAL_SECONDS"] || "2");
const mebibyte = 1024 ** 2;
/** The control plane, after the load. */
const controlPlaneBytesMax = 160 * mebibyte;
/** All processes of an idle installation without sandboxes. */
const idleServiceBytesMax = 400 * mebibyte;
/** Connections between the processes are kept for a minute; a short run does not wait for their end. */
const idleMilliseconds = Math.min(90_000, hours * 3_600_000);

describe("a constant load for a long time (full run)", () => {
  let scenario: Scenario;
  const measurements: Measurement[] = [];
  before(async () => {
    scenario = await startScenario({
      hosts: [host],
      handler: (request, response) => response.end(JSON.stringify(request.headers)),
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "1" },
    });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  async function record(moment: string): Promise<Measurement> {
    const measurement = await measure(scenario.installation, moment);
    measurements.push(measurement);
    process.stdout.write(`soak: ${moment}\n`);
    return measurement;
  }

  test(`${hours} hours, an action every ${intervalSeconds} s: all succeed, and nothing grows without bound`, async () => {
    assert.ok(hours > 0, "OPENCOMPUTER_SOAK_HOURS is a positive number");
    const { name } = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { KEY: secretValue },
    });
    let count = 0;
    const context: SoakContext = {
      connection: scenario.connection,
      storeName: name,
      internet: scenario.internet,
      random: createSeededRandom("soak"),
      sandboxes: new Set(),
      newWord: () => `word-${++count}`,
    };
    await record("start");
    const load = await runSoak(context, {
      seconds: hours * 3600,
      intervalSeconds,
      onQuarter: async (quarter) => {
        await record(`quarter ${quarter}`);
      },
    });
    for (const { sandbox } of context.sandboxes) await sandbox.kill();
    await delay(idleMilliseconds);
    const end = await record("idle again");
    const { id, dataDirectory } = scenario.installation;
    const workerPids = await scenario.installation.pidsOf("worker");

    process.stdout.write(`${formatMeasurements(measurements)}\n`);
    process.stdout.write(`actions: ${JSON.stringify(Object.fromEntries(load.done))}\n`);
    process.stdout.write(`left out, since every sandbox was busy: ${load.skipped}\n`);
    assert.deepEqual(await listOrphans({ id, dataDirectory, workerPids }), []);
    assertAtMost("control plane", end.memory["control-plane"], controlPlaneBytesMax);
    assertAtMost("idle service", serviceMemory(end), idleServiceBytesMax);
  });
});

function assertAtMost(what: string, bytes: number | undefined, bytesMax: number): void {
  const inMebibytes = (value: number) => `${(value / mebibyte).toFixed(1)} MiB`;
  assert.ok(
    bytes !== undefined && bytes <= bytesMax,
    `Expected the ${what} to take at most ${inMebibytes(bytesMax)}: ${inMebibytes(bytes ?? Number.NaN)}`,
  );
}
