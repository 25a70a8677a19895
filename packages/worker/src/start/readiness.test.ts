import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MachinePool } from "../warm-pool/create-machine-pool.ts";
import { createReadiness, type ReadinessState } from "./readiness.ts";

const pool: MachinePool = {
  take: () => Promise.reject(new Error("not needed")),
  readyCount: 0,
  noteActivity: () => undefined,
  drain: async () => undefined,
  close: async () => undefined,
};

describe("createReadiness", () => {
  const unavailable: [ReadinessState, RegExp][] = [
    [{ name: "starting" }, /not ready yet: starting/],
    [{ name: "waiting" }, /not ready yet: waiting for the control plane's certificate/],
    [{ name: "preparing", stage: "booting the guest image" }, /not ready yet: booting/],
    [{ name: "failed", reason: "KVM does not work" }, /cannot create sandboxes: KVM does not work/],
    [{ name: "closed" }, /not ready yet: closed/],
  ];
  for (const [state, message] of unavailable) {
    test(`pool: throws worker_unavailable while it is ${state.name}`, () => {
      const readiness = createReadiness();
      readiness.enter(state);
      assert.throws(() => readiness.pool(), { code: "worker_unavailable", message });
      assert.equal(readiness.describe().ready, false);
      assert.equal(readiness.imageDiskMB(), 0);
    });
  }

  test("pool: the pool that it became ready with", () => {
    const readiness = createReadiness();
    readiness.setAccelerator("tcg");
    readiness.enter({ name: "ready", pool, imageDiskMB: 20_480 });
    assert.equal(readiness.pool(), pool);
    assert.equal(readiness.imageDiskMB(), 20_480);
    const description = { ready: true, stage: "ready", failure: null, accelerator: "tcg" };
    assert.deepEqual(readiness.describe(), description);
  });

  test("describe: the reason of a failure, and the accelerator that was chosen before it", () => {
    const readiness = createReadiness();
    assert.equal(readiness.describe().accelerator, null);
    readiness.setAccelerator("kvm");
    readiness.enter({ name: "failed", reason: "no space" });
    const description = { ready: false, stage: "failed", failure: "no space", accelerator: "kvm" };
    assert.deepEqual(readiness.describe(), description);
  });

  test("enter: nothing leads out of closed", () => {
    const readiness = createReadiness();
    readiness.enter({ name: "closed" });
    readiness.enter({ name: "ready", pool, imageDiskMB: 1 });
    assert.equal(readiness.state().name, "closed");
  });
});
