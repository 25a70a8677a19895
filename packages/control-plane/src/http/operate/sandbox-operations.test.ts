import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { createSandboxActivity } from "../../sandboxes/lifecycle/sandbox-activity.ts";
import { createSandboxOperations } from "./sandbox-operations.ts";

const id = "sb-a";

/** A sandbox in that state, at a clock that the test moves. */
function scenario(state: string) {
  let now = 1000;
  const woken: string[] = [];
  const activity = createSandboxActivity({ now: () => now, write: () => undefined });
  const operations = createSandboxOperations(
    {
      sandboxes: {
        find: async (orgId: string) =>
          orgId === "own" ? { id, state, purpose: "user" } : undefined,
      },
      activity,
      lifecycle: {
        ensureRunning: async (_: string, sandboxId: string) => {
          woken.push(sandboxId);
          return { id: sandboxId };
        },
      },
      workers: { of: () => ({}) },
    } as never,
    { operationsMax: 1 },
  );
  return {
    activity,
    woken,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    connect: <Opened>(
      orgId: string,
      work: () => Promise<Opened>,
      connection = new AbortController(),
    ) => operations.connect({ orgId } as never, id, connection, work),
    lastActiveAt: () => activity.lastActiveAt(id, new Date(0)).getTime(),
  };
}

describe("SandboxOperations.connect", () => {
  test("is an operation while it opens, and later only each use counts", async () => {
    const { activity, woken, advance, connect, lastActiveAt } = scenario("hibernated");
    const { opened, use } = await connect("own", async () => {
      assert.deepEqual(woken, [id]);
      assert.equal(activity.operations(id), 1);
      return "stream";
    });
    assert.equal(opened, "stream");
    assert.equal(activity.operations(id), 0);
    advance(60_000);
    assert.equal(lastActiveAt(), 1000);
    use();
    assert.equal(lastActiveAt(), 61_000);
    assert.equal(activity.operations(id), 0);
  });

  test("is aborted when the sandbox is hibernated", async () => {
    const { activity, connect } = scenario("running");
    const connection = new AbortController();
    await connect("own", async () => undefined, connection);
    const reason = new Error("hibernated");
    activity.interrupt(id, reason);
    assert.equal(connection.signal.reason, reason);
  });

  test("ends the operation when nothing is opened", async () => {
    const { activity, connect } = scenario("running");
    const failure = new Error("no session");
    await assert.rejects(
      connect("own", () => Promise.reject(failure)),
      failure,
    );
    assert.equal(activity.operations(id), 0);
  });

  test("opens nothing of another org, and nothing of a stopped sandbox", async () => {
    const never = () => Promise.reject(new Error("it was opened"));
    const is = (code: string) => (error: unknown) =>
      error instanceof WireError && error.code === code;
    const running = scenario("running");
    await assert.rejects(running.connect("other", never), is("sandbox_not_found"));
    await assert.rejects(scenario("stopped").connect("own", never), is("sandbox_not_running"));
    assert.deepEqual(running.woken, []);
  });
});
