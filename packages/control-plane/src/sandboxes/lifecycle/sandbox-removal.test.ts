import assert from "node:assert/strict";
import { test } from "node:test";
import { Tracer } from "@opencomputer/process";
import { createRecordingLogger } from "../../testing/recording-logger.ts";
import { createSandboxRemoval } from "./sandbox-removal.ts";

test("a removal that takes long keeps no other from being completed, and is not begun twice", async () => {
  const stopped: string[] = [];
  const deleted: string[] = [];
  const { logger } = createRecordingLogger();
  const parts = {
    sandboxes: {
      deleteSecrets: async () => undefined,
      change: async (_orgId: string, id: string) => stopped.push(id) > 0,
    },
    previews: { deleteAll: async () => undefined },
    maintenance: {
      listOwned: async () =>
        ["sb-slow", "sb-quick"]
          .filter((id) => !stopped.includes(id))
          .map((id) => ({ id, orgId: "org" })),
    },
    workers: {
      of: ({ id }: { id: string }) => ({
        async delete() {
          deleted.push(id);
          if (id === "sb-slow") await new Promise(() => undefined);
        },
      }),
    },
    handOver: { removeSession: async () => undefined },
    activity: { forget: () => undefined },
  };
  const removal = createSandboxRemoval({ ...parts, tracer: new Tracer(), logger } as never, {
    waitMilliseconds: 20,
  });
  await removal.finishInterrupted();
  await removal.finishInterrupted();
  assert.deepEqual(stopped, ["sb-quick"]);
  assert.deepEqual(deleted, ["sb-slow", "sb-quick"]);
});
