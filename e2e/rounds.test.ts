import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { countResources, runRounds, type Scenario, startScenario } from "@opencomputer/harness";

describe("sandboxes that are created and killed one after the other", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startScenario();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("20 of them leave no process, namespace, filter, file, descriptor or row", async () => {
    const result = await runRounds(scenario.installation, { warmUpRounds: 5, rounds: 20 });
    assert.deepEqual(result.leaks, []);
    assert.equal(result.runningRows, 0);
  });

  test("one that runs is counted: its machine, namespace and files", async () => {
    const before = await countResources(scenario.installation);
    const sandbox = await scenario.createSandbox();
    await sandbox.exec.run("true");
    // The pool makes another machine in the place of the one it gave.
    let now = await countResources(scenario.installation);
    while ((now["process"] ?? 0) <= (before["process"] ?? 0)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      now = await countResources(scenario.installation);
    }
    for (const kind of ["process", "files of the worker", "sockets"]) {
      assert.ok((now[kind] ?? 0) > (before[kind] ?? 0), kind);
    }
    await sandbox.kill();
  });
});
