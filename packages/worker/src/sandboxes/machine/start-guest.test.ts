import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import type { ConfigureGuestRequest } from "@opencomputer/protocol/wire";
import { createFakeMachines, createJournal, sandboxSpec } from "../../testing/fake-machines.ts";
import { type MachineAtHand, startGuest } from "./start-guest.ts";

/** What the guest was configured with, in each attempt, until it had its two CPUs. */
async function configured(
  record: Partial<MachineAtHand>,
  restartSessions: string[] = [],
): Promise<ConfigureGuestRequest[]> {
  const machines = createFakeMachines(createJournal(), { cpusOnline: [1] });
  const { agent, vm, record: atHand } = machines.fake({ isFresh: false, ...record });
  const requests: ConfigureGuestRequest[] = [];
  const { configure } = agent;
  agent.configure = async (request) => {
    requests.push(request);
    return { hasHooks: false, ...(await configure(request)) };
  };
  assert.ok(vm !== undefined);
  await startGuest({ vm, agent, spec: { ...sandboxSpec(), cpuCount: 2 }, atHand, restartSessions });
  return requests;
}

/** Starts a guest whose hooks report `failure`, or fail with it. */
async function startWithHooks(
  record: Partial<MachineAtHand>,
  failure: string | Error,
  hasHooks = true,
) {
  const { agent, vm, record: atHand } = createFakeMachines(createJournal()).fake(record);
  const ran: Record<string, string>[] = [];
  const generations: (string | undefined)[] = [];
  agent.configure = async ({ cpuCount, generation }) => {
    generations.push(generation);
    return { cpuCount, memoryMB: 1024, hasHooks };
  };
  agent.runHooks = async (environment) => {
    ran.push(environment);
    if (failure instanceof Error) throw failure;
    return failure;
  };
  assert.ok(vm !== undefined);
  const spec = sandboxSpec();
  const { hookError } = await startGuest({ vm, agent, spec, atHand, restartSessions: [] });
  return { hookError, ran, generations };
}

describe("startGuest", () => {
  test("hooks run with the generation that the guest was given; their failure is returned", async () => {
    const { hookError, ran, generations } = await startWithHooks(
      { isFresh: false },
      "Hook 1 failed",
    );
    assert.equal(hookError, "Hook 1 failed");
    const { sandboxId } = sandboxSpec();
    assert.deepEqual(ran, [
      { OPENCOMPUTER_GENERATION: generations[0], OPENCOMPUTER_SANDBOX_ID: sandboxId },
    ]);
    assert.equal((await startWithHooks({ isFresh: false }, "")).hookError, null);
  });

  test("hooks run neither in a machine that is woken nor where there are none", async () => {
    assert.deepEqual((await startWithHooks({ isContinuation: true }, "no")).ran, []);
    assert.deepEqual((await startWithHooks({ isFresh: false }, "no", false)).ran, []);
  });

  test("hooks that a guest's agent does not run keep nothing from starting", async () => {
    const silent = new WireError("guest_failed", "The agent in the sandbox did not answer");
    const { hookError } = await startWithHooks({ isFresh: false }, silent);
    assert.equal(hookError, `The hooks could not be run: ${silent.message}`);
    await assert.rejects(startWithHooks({ isFresh: false }, new TypeError("a bug")), TypeError);
  });

  test("a machine of a memory that others begin in has its own generation, one for all attempts", async () => {
    const [first, second] = await configured({ isContinuation: false });
    assert.match(first?.generation ?? "", /^[0-9a-f]{32}$/);
    assert.equal(first?.generation, second?.generation);
    const [other] = await configured({ isContinuation: false });
    assert.notEqual(first?.generation, other?.generation);
    assert.match((await configured({ isFresh: true }))[0]?.generation ?? "", /^[0-9a-f]{32}$/);
  });

  test("sessions are restarted in the first attempt alone", async () => {
    const requests = await configured({}, ["exec-1"]);
    assert.deepEqual(
      requests.map(({ restartSessions }) => restartSessions),
      [["exec-1"], undefined],
    );
    assert.equal((await configured({}))[0]?.restartSessions, undefined);
  });

  test("sessions of an agent that restarts none are an error", async () => {
    const {
      agent,
      vm,
      record: atHand,
    } = createFakeMachines(createJournal()).fake({ isFresh: false });
    assert.ok(vm !== undefined);
    await assert.rejects(
      startGuest({ vm, agent, spec: sandboxSpec(), atHand, restartSessions: ["exec-1"] }),
      /agent of an earlier version/,
    );
  });

  test("a machine that is woken keeps its generation", async () => {
    const requests = await configured({ isContinuation: true });
    assert.deepEqual(
      requests.map(({ generation }) => generation),
      [undefined, undefined],
    );
  });
});
