import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  countResources,
  runRounds,
  type Scenario,
  startSharedScenario,
  untilSteady,
} from "@opencomputer/harness";
import { isFullRun } from "../setup/test/full-run.mjs";

describe("sandboxes that are created and killed one after the other", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startSharedScenario();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const rounds = isFullRun ? 20 : 3;
  test(`${rounds} of them leave no process, namespace, filter, file, descriptor or row`, async () => {
    const result = await runRounds(scenario.installation, { warmUpRounds: 3, rounds });
    assert.deepEqual(result.leaks, []);
    assert.equal(result.runningRows, 0);
  });

  test("one that runs is counted: its machine, namespace and files", {
    timeout: 240_000,
  }, async () => {
    const before = await untilSteady(scenario.installation);
    const sandbox = await scenario.createSandbox();
    await sandbox.exec.run("true");
    // The pool makes another machine instead of the one that it gave.
    const kinds = ["process", "files of the worker", "sockets"];
    let now = await countResources(scenario.installation);
    while (!kinds.every((kind) => (now[kind] ?? 0) > (before[kind] ?? 0))) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      now = await countResources(scenario.installation);
    }
    await sandbox.kill();
  });
});
