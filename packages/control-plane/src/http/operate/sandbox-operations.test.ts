import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { createSandboxActivity } from "../../sandboxes/lifecycle/sandbox-activity.ts";
import { createSandboxOperations } from "./sandbox-operations.ts";

const id = "sb-a";

/** The connection of a client. */
const createSocket = (destroyed = false) => Object.assign(new EventEmitter(), { destroyed });

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
    { operationsMax: 1, connectionsMax: 2 },
  );
  return {
    activity,
    woken,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    connect: <Opened>(
      orgId: string,
      work: (signal: AbortSignal) => Promise<Opened>,
      socket = createSocket(),
    ) => operations.connect({ orgId, raw: { socket } } as never, id, (_, signal) => work(signal)),
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
    const { opened: signal } = await connect("own", async (given) => given);
    const reason = new Error("hibernated");
    activity.interrupt(id, reason);
    assert.equal(signal.reason, reason);
  });

  test("is aborted when the client has left, also when that was before", async () => {
    const { connect } = scenario("running");
    const socket = createSocket();
    const { opened: signal } = await connect("own", async (given) => given, socket);
    assert.equal(signal.aborted, false);
    socket.emit("close");
    assert.equal(signal.aborted, true);
    const left = await connect("own", async (given) => given.aborted, createSocket(true));
    assert.equal(left.opened, true);
  });

  test("a sandbox has so many at once, and one that ends or fails makes room", async () => {
    const { activity, connect } = scenario("running");
    const sockets = [createSocket(), createSocket()];
    for (const socket of sockets) await connect("own", async () => undefined, socket);
    const refused = { code: "too_many_requests" };
    await assert.rejects(
      connect("own", async () => undefined),
      refused,
    );
    sockets[0]?.emit("close");
    await assert.rejects(connect("own", () => Promise.reject(new Error("no session"))));
    const end = activity.begin(id);
    await assert.rejects(
      connect("own", async () => undefined),
      refused,
      "operations under way count as for requests",
    );
    end();
    await connect("own", async () => undefined);
    await assert.rejects(
      connect("own", async () => undefined),
      refused,
    );
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
