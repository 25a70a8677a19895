import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLogger } from "../../testing/recording-logger.ts";
import type { SizedSandbox } from "../rows/sandbox-maintenance-repository.ts";
import { createReconcileWithWorker } from "./reconcile-with-worker.ts";

test("a sandbox that cannot be reconciled for long keeps no other waiting, and is not begun twice", async () => {
  const row = (id: string): SizedSandbox => ({
    ...{ id, orgId: "org", state: "waking", sourceAddress: null, machineId: null },
    ...{ memoryMB: 1024, scaling: null, isHeld: false },
  });
  const begun: string[] = [];
  const held = new Set<string>();
  const { logger, lines } = createRecordingLogger();
  const reconcile = createReconcileWithWorker(
    {
      maintenance: {
        listOwned: async () => ["sb-slow", "sb-broken", "sb-quick"].map(row),
        setSize: () => assert.fail("no size changes"),
        whichStopped: async () => new Set(),
      },
      workers: { all: () => [{ list: async () => [], delete: () => assert.fail() }] },
      lifecycle: {
        isHeld: (id) => held.has(id),
        async reconcile(_orgId, id) {
          begun.push(id);
          held.add(id);
          if (id === "sb-slow") await new Promise(() => undefined);
          if (id === "sb-broken") throw new Error("not now");
        },
      },
      logger,
    },
    { waitMilliseconds: 20 },
  );
  await reconcile();
  assert.deepEqual(begun, ["sb-slow", "sb-broken", "sb-quick"]);
  assert.match(lines(), /sb-broken.*reconciled at the next pass/);
  held.delete("sb-quick");
  await reconcile();
  assert.deepEqual(begun.slice(3), ["sb-quick"]);
});
