import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ConfigureGuestRequest } from "@opencomputer/protocol/wire";
import { guestIdentity } from "../guest/guest-identity.ts";
import type { Machine } from "../machines/machine.ts";
import { createFakeMachines, createJournal } from "../testing/fake-machines.ts";
import { warmUpMachine } from "./warm-up-machine.ts";

function scenario(record: Partial<Machine["record"]>) {
  const journal = createJournal();
  const machine = createFakeMachines(journal).fake(record);
  const requests: ConfigureGuestRequest[] = [];
  const { configure } = machine.agent;
  machine.agent.configure = (request) => {
    requests.push(request);
    return configure(request);
  };
  return { machine, requests, ...journal };
}

describe("warmUpMachine", () => {
  const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

  test("a fresh machine has no user's processes: none is stopped, no connection ended", async () => {
    const { machine, requests, events } = scenario({});
    await warmUpMachine(machine, null);
    assert.deepEqual(events, ["resume", "health", "configure sandbox", "run /bin/bash", "pause"]);
    assert.deepEqual([requests[0]?.closeConnections, requests[0]?.thaw], [false, false]);
  });

  test("the processes of a saved machine are frozen before anything else, and are not thawed", async () => {
    const { machine, requests, events } = scenario({ isFresh: false, cpuCount: 3 });
    await warmUpMachine(machine, null);
    assert.deepEqual(events, ["resume", "freeze", "configure sandbox", "run /bin/bash", "pause"]);
    const [request] = requests;
    assert.deepEqual([request?.closeConnections, request?.thaw], [true, false]);
    assert.deepEqual([request?.cpuCount, request?.environment], [3, {}]);
  });

  test("a machine that is its sandbox's again keeps the identity, so that its user's names stay", async () => {
    const { machine, requests } = scenario({ isFresh: false });
    await warmUpMachine(machine, sandboxId);
    const own = guestIdentity({ hostname: sandboxId, cpuCount: 1, environment: {} });
    assert.deepEqual(
      [requests[0]?.hostname, requests[0]?.machineId],
      [own.hostname, own.machineId],
    );
  });

  test("one whose processes cannot be stopped does nothing more", async () => {
    const { machine, requests, fail } = scenario({ isFresh: false });
    fail("freeze");
    await assert.rejects(warmUpMachine(machine, null), /freeze failed/);
    assert.deepEqual(requests, []);
  });

  test("one that boots is left alone", async () => {
    const { machine, events } = scenario({ isFresh: false, hasMemory: false });
    await warmUpMachine(machine, null);
    assert.deepEqual(events, []);
  });
});
