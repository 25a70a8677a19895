import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { egressLogBatchSchema } from "@opencomputer/protocol/wire";
import { testAuditLine } from "../testing/audit-lines.ts";
import { otherSandboxId, testSandboxId } from "../testing/sessions.ts";
import { EgressLogBuffer, type EgressLogLimits, egressLogLimits } from "./egress-log-buffer.ts";

function scenario(limits: Partial<EgressLogLimits> = {}) {
  const instanceId = randomUUID();
  const buffer = new EgressLogBuffer({ instanceId, limits: { ...egressLogLimits, ...limits } });
  const keep = (path: string, sandboxId: string | null = testSandboxId, leftOut = 0) =>
    buffer.keep(testAuditLine({ path, sandboxId }), {}, leftOut);
  let acknowledged: { instanceId: string; sequence: number } | null = null;
  const read = async (waitSeconds = 0) => {
    const batch = egressLogBatchSchema.parse(
      JSON.parse(await buffer.read({ acknowledged, waitSeconds })),
    );
    return batch.lines;
  };
  const acknowledge = (sequence: number) => {
    acknowledged = { instanceId, sequence };
  };
  return { buffer, keep, read, acknowledge };
}

const pathsOf = (lines: readonly { path: string | null }[]) => lines.map(({ path }) => path);

describe("EgressLogBuffer", () => {
  test("returns the same lines under the same sequences until they are acknowledged", async () => {
    const { buffer, keep, read, acknowledge } = scenario();
    for (const path of ["/1", "/2", "/3"]) keep(path);
    const first = await read();
    assert.deepEqual(pathsOf(first), ["/1", "/2", "/3"]);
    keep("/4");
    assert.deepEqual((await read()).slice(0, 3), first);
    acknowledge(first[1]?.sequence ?? 0);
    assert.deepEqual(pathsOf(await read()), ["/3", "/4"]);
    acknowledge(1000);
    assert.deepEqual(await read(), []);
    assert.equal(buffer.size, 0);
  });

  test("a line without a sandbox is in no log", async () => {
    const { keep, read } = scenario();
    keep("/", null);
    assert.deepEqual(await read(), []);
  });

  test("a sandbox that floods keeps its first lines, and the rest is summed up and counted", async () => {
    const { buffer, keep, read, acknowledge } = scenario({ linesPerSandboxMax: 3 });
    for (let index = 0; index < 50; index += 1) keep(`/${index}`);
    keep("/", testSandboxId, 20);
    const lines = await read();
    assert.deepEqual(pathsOf(lines), ["/0", "/1", "/2", null]);
    const [sum] = lines.slice(-1);
    assert.equal(sum?.leftOut, 47 + 20);
    assert.deepEqual(buffer.counts, { kept: 3, leftOut: 67 });
    assert.match(
      sum?.reason ?? "",
      /^67 exchanges were left out of the egress log, which was full/,
    );
    acknowledge(sum?.sequence ?? 0);
    await read();
    keep("/after");
    keep("/sum", testSandboxId, 9);
    assert.deepEqual(pathsOf(await read()), ["/after", "/sum"]);
    assert.deepEqual(buffer.counts, { kept: 4, leftOut: 76 });
  });

  test("what is left out after a sum was read is in a later sum, so that none is lost or counted twice", async () => {
    const { keep, read, acknowledge } = scenario({ linesPerSandboxMax: 1 });
    for (let index = 0; index < 5; index += 1) keep(`/${index}`);
    const first = await read();
    for (let index = 0; index < 7; index += 1) keep(`/later-${index}`);
    const second = await read();
    assert.deepEqual(second.slice(0, first.length), first);
    assert.deepEqual(
      second.map(({ leftOut }) => leftOut),
      [0, 4, 7],
    );
    acknowledge(first.at(-1)?.sequence ?? 0);
    assert.deepEqual(await read(), second.slice(first.length));
  });

  test("a flood does not displace another sandbox's lines, also when all take the whole bound", async () => {
    const { keep, read } = scenario({ bytesTotalMax: 100_000, shareBytes: 20_000 });
    for (let index = 0; index < 5_000; index += 1) keep(`/${index}`, otherSandboxId);
    for (let index = 0; index < 20; index += 1) keep(`/mine-${index}`);
    const lines = await read();
    const mine = lines.filter(({ sandboxId }) => sandboxId === testSandboxId);
    assert.deepEqual(
      pathsOf(mine),
      Array.from({ length: 20 }, (_, index) => `/mine-${index}`),
    );
    const theirs = lines.filter(({ sandboxId }) => sandboxId === otherSandboxId);
    assert.equal(
      theirs.reduce((sum, { leftOut }) => sum + Math.max(1, leftOut), 0),
      5_000,
    );
  });

  test("a read is bounded, and has a line even if that is longer", async () => {
    const { keep, read, acknowledge } = scenario({ linesPerReadMax: 2, bytesPerReadMax: 100 });
    for (const path of ["/1", "/2"]) keep(path);
    const [only, ...others] = await read();
    assert.deepEqual([only?.path, others], ["/1", []]);
    acknowledge(only?.sequence ?? 0);
    assert.deepEqual(pathsOf(await read()), ["/2"]);
  });

  test("a read that finds nothing waits for the next line, or for its time", async () => {
    const { buffer, keep, read, acknowledge } = scenario();
    const waiting = read(30);
    setImmediate(() => keep("/late"));
    const [late] = await waiting;
    assert.equal(late?.path, "/late");
    const drained = buffer.drain(60_000);
    acknowledge(late?.sequence ?? 0);
    await Promise.all([read(), drained]);
    await buffer.drain(60_000);
  });
});
