import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runChaos } from "./chaos/run-chaos.ts";
import { type ChaosService, startChaosService } from "./chaos/service.ts";

const seed = process.env["OPENCOMPUTER_CHAOS_SEED"] || "20261121";
const rounds = Number(process.env["OPENCOMPUTER_CHAOS_ROUNDS"] || "1");

describe("parts of the service and machines are killed at random moments", () => {
  let service: ChaosService;
  before(async () => {
    service = await startChaosService();
  });
  after(async () => assert.deepEqual(await service.end(), []));

  test(`with seed ${seed}, rounds: ${rounds}; what was acknowledged exists and works, and nothing else exists`, async () => {
    assert.ok(Number.isInteger(rounds) && rounds > 0, "OPENCOMPUTER_CHAOS_ROUNDS is a number");
    try {
      const onRound = (line: string) => process.stdout.write(`${line}\n`);
      await runChaos(service, { seed, rounds, onRound });
    } catch (error) {
      const logs = join(tmpdir(), `opencomputer-chaos-${seed}`);
      for (const part of ["logs", "audit"]) {
        const source = join(service.installation().dataDirectory, part);
        await cp(source, join(logs, part), { recursive: true });
      }
      throw new Error(`The service's logs and audit trail are in ${logs}`, { cause: error });
    }
  });
});
