import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { identifyCommand } from "./command-identity.ts";
import { createKeyedCommands } from "./create-keyed-commands.ts";

const bounds = {
  ...{ keysMax: 3, keptMilliseconds: 60_000, graceMilliseconds: 5 },
  ...{ outputPerSandboxMax: 10, outputTotalMax: 15 },
};
const identity = (key: string, body: unknown = "body", sandboxId = "sb-1") =>
  identifyCommand(sandboxId, key, "exec/run", body);
const outputLengthOf = (text: string) => text.length;

function counting(results: readonly (string | Error)[]) {
  let count = 0;
  const work = async () => {
    const result = results[count];
    count += 1;
    if (result instanceof Error) throw result;
    return result ?? "none";
  };
  return { work, count: () => count };
}

describe("createKeyedCommands", () => {
  test("one under way is joined, one that has ended gives its result", async () => {
    const { run } = createKeyedCommands(bounds);
    let finish = (_result: string): void => undefined;
    let count = 0;
    const work = () => {
      count += 1;
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    };
    const both = [run(identity("a"), work), run(identity("a"), work)];
    finish("done");
    assert.deepEqual(await Promise.all(both), ["done", "done"]);
    assert.equal(await run(identity("a"), work), "done");
    assert.equal(count, 1);
  });

  test("the same key is another one in another sandbox, and refused for another command", async () => {
    const { run } = createKeyedCommands(bounds);
    const { work, count } = counting(["one", "two"]);
    assert.equal(await run(identity("a"), work), "one");
    assert.equal(await run(identity("a", "body", "sb-2"), work), "two");
    const expected = { code: "idempotency_key_reused", status: 422 };
    await assert.rejects(run(identity("a", "other body"), work), expected);
    await assert.rejects(run(identifyCommand("sb-1", "a", "exec", "body"), work), expected);
    assert.equal(count(), 2);
  });

  test("a failure that began nothing is not kept; one that may have run is", async () => {
    const { run } = createKeyedCommands(bounds);
    const absent = counting([new WireError("command_not_found", "none"), "ran"]);
    await assert.rejects(run(identity("a"), absent.work), { code: "command_not_found" });
    assert.equal(await run(identity("a"), absent.work), "ran");
    const lost = counting([new WireError("outcome_unknown", "lost"), "ran twice"]);
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(run(identity("b"), lost.work), { code: "outcome_unknown" });
    }
    assert.equal(lost.count(), 1);
  });

  test("a command is aborted when all its callers have disconnected, unless one returns", async () => {
    const { run } = createKeyedCommands({ ...bounds, graceMilliseconds: 40 });
    const waiting = (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        signal.addEventListener("abort", () => resolve("aborted"));
        setTimeout(() => resolve("finished"), 120);
      });
    const [first, second] = [new AbortController(), new AbortController()];
    const abandoned = run(identity("a"), waiting, { caller: first.signal });
    first.abort();
    assert.equal(await abandoned, "aborted");
    const left = run(identity("b"), waiting, { caller: first.signal });
    const joined = run(identity("b"), waiting, { caller: second.signal });
    assert.deepEqual(await Promise.all([left, joined]), ["finished", "finished"]);
  });

  test("keys are bounded in number and time, the oldest goes first", async () => {
    const { run } = createKeyedCommands(bounds);
    const { work, count } = counting(["a", "b", "c", "d", "a again"]);
    for (const key of ["a", "b", "c", "d"]) await run(identity(key), work);
    assert.equal(await run(identity("d"), work), "d");
    assert.equal(await run(identity("a"), work), "a again");
    assert.equal(count(), 5);
    const brief = createKeyedCommands({ ...bounds, keptMilliseconds: 5 });
    const twice = counting(["one", "two"]);
    await brief.run(identity("a"), twice.work);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(await brief.run(identity("a"), twice.work), "two");
  });

  test("output is bounded: without it a retry is refused, and runs nothing", async () => {
    const { run } = createKeyedCommands(bounds);
    const { work, count } = counting(["123456", "123456", "123456789", "x"]);
    const dropped = { code: "outcome_unknown", message: /no longer kept/ };
    await run(identity("a"), work, { outputLengthOf });
    await run(identity("b"), work, { outputLengthOf });
    await assert.rejects(run(identity("a"), work, { outputLengthOf }), dropped);
    assert.equal(await run(identity("b"), work), "123456");
    await run(identity("c", "body", "sb-2"), work, { outputLengthOf });
    assert.equal(await run(identity("b"), work), "123456");
    // Together they are over the total: the sandbox that keeps the most loses it, not the oldest one.
    await run(identity("d", "body", "sb-3"), work, { outputLengthOf });
    await assert.rejects(run(identity("c", "body", "sb-2"), work), dropped);
    assert.equal(await run(identity("b"), work), "123456");
    assert.equal(await run(identity("d", "body", "sb-3"), work), "x");
    assert.equal(count(), 4);
  });
});

describe("identifyCommand", () => {
  test("the session's id is of the sandbox and the key alone", () => {
    assert.match(identity("a").sessionId, /^exec-[0-9a-f]{24}$/);
    assert.equal(identity("a").sessionId, identity("a", "other").sessionId);
    assert.notEqual(identity("a").sessionId, identity("b").sessionId);
    assert.notEqual(identity("a").sessionId, identity("a", "body", "sb-2").sessionId);
    assert.notEqual(identity("a").fingerprint, identity("a", "other").fingerprint);
  });
});
