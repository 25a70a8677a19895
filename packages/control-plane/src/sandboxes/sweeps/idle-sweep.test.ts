import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import type { SandboxUse } from "@opencomputer/protocol/wire";
import { createRecordingLogger } from "../../testing/recording-logger.ts";
import { createIdleSweep } from "./idle-sweep.ts";

const minute = 60_000;

const use = (known: { lastUsedAt?: number; operations?: number; cpuLastUsedAt?: number }) => ({
  lastUsedAt: known.lastUsedAt === undefined ? null : new Date(known.lastUsedAt).toISOString(),
  operations: known.operations ?? 0,
  cpuLastUsedAt:
    known.cpuLastUsedAt === undefined ? null : new Date(known.cpuLastUsedAt).toISOString(),
});

describe("createIdleSweep", () => {
  let now: number;
  let events: string[];
  let failure: Error | undefined;
  let isHeld: boolean;
  let ids: string[];
  let idle: "requests" | "cpu";
  let useOf: () => Promise<SandboxUse>;
  let slow: Promise<void>;
  let sweep: () => Promise<void>;

  beforeEach(() => {
    now = 0;
    events = [];
    failure = undefined;
    isHeld = false;
    ids = ["a"];
    idle = "requests";
    useOf = async () => use({});
    slow = new Promise(() => undefined);
    const deps: Parameters<typeof createIdleSweep>[0] = {
      maintenance: {
        listIdle: async () =>
          ids.map((id) => ({
            ...{
              id,
              orgId: id.startsWith("slow") ? "other" : "org",
              state: "running" as const,
              sourceAddress: null,
              machineId: null,
            },
            lastActiveAt: new Date(-minute),
            idleTimeoutSeconds: 1,
            idle,
          })),
        touch: async (id, at) => void events.push(`touches ${id} at ${+at}`),
        deleteStoppedBefore: async (time) => {
          events.push(`deletes what stopped before ${+time / minute}`);
        },
      },
      workers: { of: () => ({ useOf: () => useOf() }) },
      activity: { lastActiveAt: (_id, stored) => stored },
      lifecycle: {
        isHeld: () => isHeld,
        hibernateIdle: async (_orgId, id) => {
          events.push(`hibernates ${id}`);
          if (id.startsWith("slow")) await slow;
          if (failure !== undefined) throw failure;
          ids = ids.filter((other) => other !== id);
          return true;
        },
      },
      removal: {
        kill: async (_orgId, id) => {
          events.push(`kills ${id}`);
        },
      },
      now: () => now,
      logger: createRecordingLogger().logger,
    };
    sweep = createIdleSweep(deps, { waitMilliseconds: 20 });
  });

  const happened = () => events.splice(0).filter((event) => !event.startsWith("deletes"));

  test("hibernates what is idle, and deletes what was stopped ten minutes ago", async () => {
    await sweep();
    assert.deepEqual(events, ["hibernates a", "deletes what stopped before -10"]);
  });

  test("leaves a sandbox alone that is held", async () => {
    isHeld = true;
    await sweep();
    assert.deepEqual(happened(), []);
  });

  test("hibernates four at once, the others in the next sweep", async () => {
    ids = ["a", "b", "c", "d", "e"];
    await sweep();
    assert.equal(happened().length, 4);
    await sweep();
    assert.deepEqual(happened(), ["hibernates e"]);
  });

  test("an org whose hibernations take long leaves a place to others, and uses what they do not", async () => {
    ids = ["slow1", "slow2", "slow3", "slow4", "a"];
    await sweep();
    const first = ["hibernates slow1", "hibernates slow2", "hibernates slow3", "hibernates a"];
    assert.deepEqual(happened(), first);
    ids = ["slow4", "b"];
    await sweep();
    assert.deepEqual(happened(), ["hibernates b"], "one place is free");
    ids = ["slow4"];
    await sweep();
    assert.deepEqual(happened(), ["hibernates slow4"], "nobody else needs it");
    ids = ["c"];
    await sweep();
    assert.deepEqual(happened(), [], "there is no place");
  });

  test("the failures of one that takes long count, too", async () => {
    ids = ["slow"];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      let fail = (_error: Error): void => undefined;
      slow = new Promise((_resolve, reject) => {
        fail = reject;
      });
      await sweep();
      ids = [];
      await sweep();
      fail(new WireError("guest_failed", "its state cannot be saved"));
      await slow.catch(() => undefined);
      await new Promise(setImmediate);
      ids = ["slow"];
      now += minute;
    }
    assert.equal(happened().at(-1), "kills slow");
  });

  for (const [what, reason] of [
    ["a full disk", new WireError("host_storage_full", "not now")],
    ["an absent worker", new WireError("worker_unavailable", "not now")],
    ["a lost worker", new WireError("outcome_unknown", "not now")],
    ["an I/O error of the host's disk", new WireError("internal_error", "its log has the reason")],
    [
      "a machine that has ended, and whose disk could not be saved yet,",
      new WireError("sandbox_not_running", "its machine has ended"),
    ],
    ["a lost database", new Error("Connection terminated unexpectedly")],
  ] as const) {
    test(`${what} is no reason of the sandbox: it is tried again every minute, and never killed`, async () => {
      failure = reason;
      await sweep();
      await sweep();
      assert.deepEqual(happened(), ["hibernates a"], "not at once");
      for (let attempt = 0; attempt < 10; attempt += 1) {
        now += minute;
        await sweep();
      }
      assert.deepEqual(new Set(happened()), new Set(["hibernates a"]));
    });
  }

  test("a sandbox that cannot be hibernated, three times, is killed", async () => {
    failure = new WireError("guest_failed", "its state cannot be saved");
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await sweep();
      now += minute;
    }
    assert.deepEqual(happened(), ["hibernates a", "hibernates a", "hibernates a", "kills a"]);
  });

  test("temporary failures in between do not count, and use resets the count", async () => {
    const own = new WireError("guest_failed", "its state cannot be saved");
    for (const next of [own, new WireError("host_storage_full", "full"), own]) {
      failure = next;
      await sweep();
      now += minute;
    }
    ids = [];
    await sweep();
    ids = ["a"];
    await sweep();
    assert.ok(!happened().includes("kills a"));
  });

  for (const [what, known] of [
    ["bytes", "lastUsedAt"],
    ["the CPU", "cpuLastUsedAt"],
  ] as const) {
    test(`by ${what}: use within the time-out is stored, older use does not count`, async () => {
      now = 10 * minute;
      idle = "cpu";
      useOf = async () => use({ [known]: now - 999 });
      await sweep();
      assert.deepEqual(happened(), [`touches a at ${now - 999}`]);
      useOf = async () => use({ [known]: now - 1000 });
      await sweep();
      assert.deepEqual(happened(), ["hibernates a"]);
    });
  }

  test("by default use of the CPU does not count", async () => {
    useOf = async () => use({ cpuLastUsedAt: now });
    await sweep();
    assert.deepEqual(happened(), ["hibernates a"]);
  });

  test("an operation that the worker serves is use until it ends", async () => {
    now = 10 * minute;
    useOf = async () => use({ operations: 1 });
    await sweep();
    assert.deepEqual(happened(), [`touches a at ${now}`]);
  });

  test("a sandbox that the worker does not have is left to the hibernation", async () => {
    useOf = async () => {
      throw new WireError("sandbox_not_found", "it is not here");
    };
    await sweep();
    assert.deepEqual(happened(), ["hibernates a"]);
  });

  test("nothing is hibernated while the worker does not report use", async () => {
    let asked = 0;
    useOf = async () => {
      asked += 1;
      throw new WireError("worker_unavailable", "not now");
    };
    await sweep();
    await sweep();
    assert.deepEqual([happened(), asked], [[], 1]);
    now += minute;
    useOf = async () => use({});
    await sweep();
    assert.deepEqual(happened(), ["hibernates a"]);
  });
});
