import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createFakeMachines, createJournal, sandboxSpec } from "../testing/fake-machines.ts";
import { passedBytesOf, readMachine, residentBytesOf } from "./read-machine.ts";

const networkText = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       7       1    0    0    0     0          0         0        7       1    0    0    0     0       0          0
  tap0:     100       2    0    0    0     0          0         0     2000       3    0    0    0     0       0          0
veth0:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
`;

describe("residentBytesOf", () => {
  test("is the second field, in pages", () => {
    assert.equal(residentBytesOf("900 25 3 1 0 80 0\n"), 25 * 4096);
    for (const text of ["", "900", "900 x", "900 -1", `1 ${"9".repeat(16)}`]) {
      assert.equal(residentBytesOf(text), undefined, text);
    }
  });
});

describe("passedBytesOf", () => {
  test("finds the interface, with and without a space behind its name", () => {
    assert.deepEqual(passedBytesOf(networkText, "tap0"), { receivedBytes: 100, sentBytes: 2000 });
    assert.deepEqual(passedBytesOf(networkText, "veth0"), { receivedBytes: 5, sentBytes: 6 });
    assert.equal(passedBytesOf(networkText, "tap"), undefined);
    assert.equal(passedBytesOf("tap0: 1 2 3\n", "tap0"), undefined);
  });
});

describe("readMachine", () => {
  const machines = createFakeMachines(createJournal());
  const machineId = "5f0c3c52-9f7e-4c2e-8a55-0f4f5d6c7b8a";
  const startedAtUnixMilliseconds = Date.parse("2026-01-02T03:04:05.000Z");
  const ofSandbox = { sandbox: sandboxSpec(), machineId, startedAtUnixMilliseconds };
  const files = (startTicks: string) => async (path: string) => {
    if (path.endsWith("/stat"))
      return `7 (qemu) S ${"0 ".repeat(10)}12 30 ${"0 ".repeat(6)}${startTicks} 1`;
    return path.endsWith("/statm") ? "900 25 3" : networkText;
  };
  const layers = { bytesOf: async (ids: readonly string[]) => ids.length * 10 };
  const now = () => startedAtUnixMilliseconds + 60_000;

  test("reads what the process and the guest's interface have, in the guest's direction", async () => {
    const machine = machines.fake(ofSandbox);
    const readFile = files(machine.record.process.startTicks);
    assert.deepEqual(await readMachine(machine, { layers, readFile, now }), {
      ...{ sandboxId: sandboxSpec().sandboxId, machineId },
      ...{ startedAt: "2026-01-02T03:04:05.000Z", readAt: "2026-01-02T03:05:05.000Z" },
      ...{ cpuMilliseconds: 420, memoryBytes: 25 * 4096 },
      diskBytes: machine.record.disk.layers.length * 10,
      ...{ networkReceivedBytes: 2000, networkSentBytes: 100 },
    });
  });

  test("a process that has ended, or is another one by now, has none", async () => {
    const machine = machines.fake(ofSandbox);
    const another = { layers, readFile: files("1234567") };
    assert.equal(await readMachine(machine, another), undefined);
    assert.equal(
      await readMachine(machine, { layers, readFile: async () => undefined }),
      undefined,
    );
  });

  test("a machine of the warm pool has none", async () => {
    const machine = machines.fake({ sandbox: null, machineId: null });
    const readFile = files(machine.record.process.startTicks);
    assert.equal(await readMachine(machine, { layers, readFile }), undefined);
  });
});
