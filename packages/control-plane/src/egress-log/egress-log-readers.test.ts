import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import {
  type EgressLogBatch,
  type EgressLogLine,
  type ReadEgressLog,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import { testExchange } from "../testing/fake-egress-proxy.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { startEgressLogReaders } from "./egress-log-readers.ts";

const pauses = { readMilliseconds: 1, retryMilliseconds: 5 };

/** A proxy with these lines, and a database that takes all but `refused`, and fails so often before. */
function scenario(
  sequences: number[],
  options: { refused?: number; failures?: number; pauses?: typeof pauses } = {},
) {
  const instanceId = randomUUID();
  let lines: EgressLogLine[] = sequences.map((sequence) => ({
    ...testExchange({}),
    ...{ sequence, sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa", wasSent: true },
  }));
  let failures = options.failures ?? 0;
  const stored: number[] = [];
  const { promise: isDrained, resolve: drained } = createSignal();
  const { promise: areAllStored, resolve: allStored } = createSignal();
  const egressProxy: Pick<EgressProxyClient, "readEgressLog"> = {
    async readEgressLog({ acknowledged }: ReadEgressLog) {
      const upTo = acknowledged?.instanceId === instanceId ? acknowledged.sequence : 0;
      lines = lines.filter(({ sequence }) => sequence > upTo);
      if (lines.length === 0) drained();
      return { instanceId, lines: lines.slice(0, serviceLimits.egressLogLinesPerReadMax) };
    },
  };
  let unstorable = 0;
  const recording = createRecordingLogger();
  const readers = startEgressLogReaders({
    egressProxies: [egressProxy],
    async store(batch: EgressLogBatch) {
      failures -= 1;
      if (failures >= 0) throw new Error("the database is away");
      if (batch.lines.some(({ sequence }) => sequence === options.refused)) {
        throw new Error("failed", { cause: Object.assign(new Error("data"), { code: "22P05" }) });
      }
      stored.push(...batch.lines.map(({ sequence }) => sequence));
      if (stored.length === sequences.length) allStored();
    },
    onUnstorable() {
      unstorable += 1;
    },
    ...{ logger: recording.logger, pauses: options.pauses ?? pauses },
  });
  return {
    readers,
    stored,
    isDrained,
    areAllStored,
    log: recording.lines,
    unstorable: () => unstorable,
  };
}

function createSignal() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((resolvePromise) => {
    resolve = resolvePromise;
  });
  return { promise, resolve: () => resolve() };
}

describe("startEgressLogReaders", () => {
  test("lines are acknowledged once they are stored, also after the database was away", async () => {
    const { readers, stored, isDrained, log } = scenario([1, 2, 3], { failures: 9 });
    await isDrained;
    await readers.stop();
    assert.deepEqual(stored, [1, 2, 3]);
    assert.ok(!log().includes("left out"));
  });

  test("a line that cannot be stored does not stop the others, and the log names it", async () => {
    const { readers, stored, isDrained, log, unstorable } = scenario([1, 2, 3], { refused: 2 });
    await isDrained;
    await readers.stop();
    assert.deepEqual([stored, unstorable()], [[1, 3], 1]);
    assert.match(log(), /"sequence":2,.*is left out/);
  });

  test("lines that wait beyond those of a full read are read without the pause", async () => {
    const endless = { ...pauses, readMilliseconds: 2 ** 31 - 1 };
    const sequences = Array.from(
      { length: 2 * serviceLimits.egressLogLinesPerReadMax + 1 },
      (_, index) => index + 1,
    );
    const { readers, stored, areAllStored } = scenario(sequences, { pauses: endless });
    await areAllStored;
    await readers.stop();
    assert.deepEqual(stored, sequences);
  });
});
