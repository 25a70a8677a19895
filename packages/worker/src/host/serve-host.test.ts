import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Tracer } from "@opencomputer/process";
import { pino } from "pino";
import { Pool } from "undici";
import type { Host } from "../host-calls/host.ts";
import { connectHost } from "../host-calls/host-client.ts";
import { type HostCall, hostCalls } from "../host-calls/host-wire.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { newMachineShape } from "../vm/machine-shape.ts";
import { serveHost } from "./serve-host.ts";

const machineId = "00112233445566aa";
const fingerprint = "0".repeat(32);
const machine = {
  machineId,
  slotIndex: 7,
  shape: newMachineShape("tcg", 1024),
  imageFingerprint: "image-fingerprint",
  kernelCommandLine: "console=ttyS0",
  savedDirectory: `golden/${fingerprint}`,
  disk: { kind: "layers" as const, goldenFingerprint: fingerprint, newestLayer: machineId },
};
const process = { pid: 4711, startTicks: "99" };
const disk = { goldenFingerprint: fingerprint, layers: [machineId], sizeMB: 1024 };
const limits = { cpuPercent: 150, memoryMB: 1536, isBackground: false };

/** One call of each kind, and what the host returns for it. */
const calls: { [Call in HostCall]: { request: unknown[]; response: unknown } } = {
  describe: { request: [], response: { limitsEnforced: true } },
  setUpNetwork: { request: [], response: null },
  tearDownNetwork: { request: [], response: null },
  listSlots: { request: [], response: [0, 7] },
  openSlot: { request: [7], response: null },
  setSlotMode: { request: [7, "allowlisted", [5432]], response: null },
  closeSlots: { request: [[7, 8]], response: null },
  startMachine: { request: [machine], response: process },
  endMachine: { request: [process], response: { wasKilled: true } },
  endOtherMachines: {
    request: [{ processIds: [4711], machineIds: [machineId] }],
    response: null,
  },
  limitMachine: { request: [machineId, limits], response: null },
  removeGroup: { request: [machineId], response: null },
  removeGroupsBut: { request: [[machineId]], response: null },
  tearDownGroups: { request: [], response: null },
  showLayers: { request: [machineId, [machineId]], response: null },
  hideLayers: { request: [machineId], response: null },
  giveLayer: { request: [machineId, 7], response: null },
  rebaseLayer: { request: [machineId, disk], response: null },
};
const names = Object.keys(hostCalls) as HostCall[];

/** Requests that a compromised worker might send. */
const refused: [HostCall, unknown[]][] = [
  ["openSlot", [1024]],
  ["openSlot", [-1]],
  ["openSlot", [1.5]],
  ["openSlot", [7, 8]],
  ["setSlotMode", [7, "everything", []]],
  ["setSlotMode", [7, "allowlisted", [0]]],
  ["setSlotMode", [7, "allowlisted", ["22 } accept"]]],
  ["closeSlots", [Array.from({ length: 1025 }, () => 1)]],
  ["startMachine", [{ ...machine, machineId: "../../../etc/cron.d" }]],
  ["startMachine", [{ ...machine, imageFingerprint: "../../../../etc" }]],
  ["startMachine", [{ ...machine, savedDirectory: "golden/../../etc" }]],
  ["startMachine", [{ ...machine, savedDirectory: "worker/hibernated/.." }]],
  ["startMachine", [{ ...machine, savedDirectory: "/etc" }]],
  ["startMachine", [{ ...machine, disk: { kind: "image", directory: "../.." } }]],
  ["startMachine", [{ ...machine, disk: { ...machine.disk, newestLayer: "a/../b" } }]],
  ["startMachine", [{ ...machine, shape: { ...machine.shape, baseMemoryMB: 1_000_000 } }]],
  ["startMachine", [{ ...machine, shape: { ...machine.shape, machineType: "q35 -s" } }]],
  ["startMachine", [{ ...machine, command: ["sh"] }]],
  ["endMachine", [{ pid: 1, startTicks: "1" }]],
  ["endMachine", [{ pid: -4711, startTicks: "1" }]],
  ["limitMachine", ["..", limits]],
  ["limitMachine", [machineId, { ...limits, cpuPercent: Number.NaN }]],
  ["removeGroup", ["opencomputer"]],
  ["showLayers", [machineId, ["../golden"]]],
  ["hideLayers", [""]],
  ["giveLayer", ["../../encryption-key", 7]],
  ["rebaseLayer", [machineId, { ...disk, goldenFingerprint: "../x" }]],
];

describe("serveHost", () => {
  const asked: [string, unknown[]][] = [];
  let directory: string;
  let socketPath: string;
  let server: ReturnType<typeof serveHost>;
  let pool: Pool;
  let failure: Error | undefined;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "host-"));
    socketPath = join(directory, "socket");
    const host = Object.fromEntries(
      names.map((name) => [
        name,
        async (...request: unknown[]) => {
          asked.push([name, request]);
          if (failure !== undefined) throw failure;
          return calls[name].response;
        },
      ]),
    ) as unknown as Host;
    server = serveHost(host, pino({ level: "silent" }));
    await server.listen({ path: socketPath });
    pool = new Pool("http://host", { socketPath });
  });
  after(async () => {
    await pool.destroy();
    await server.close();
    await rm(directory, { recursive: true });
  });

  async function post(name: string, body: string): Promise<number> {
    const response = await pool.request({
      method: "POST",
      path: `/v1/${name}`,
      headers: { "content-type": "application/json" },
      body,
    });
    await response.body.dump();
    return response.statusCode;
  }

  for (const name of names) {
    test(`${name} reaches the host unchanged, and its response is returned`, async () => {
      const client = connectHost(socketPath, new Tracer());
      const call = client[name] as (...request: unknown[]) => Promise<unknown>;
      asked.length = 0;
      assert.deepEqual(await call(...calls[name].request), calls[name].response);
      assert.deepEqual(asked, [[name, calls[name].request]]);
      await client.close();
    });
  }

  for (const [name, request] of refused) {
    test(`${name} refuses ${JSON.stringify(request).slice(0, 120)}`, async () => {
      asked.length = 0;
      assert.equal(await post(name, JSON.stringify(request)), 400);
      assert.deepEqual(asked, []);
    });
  }

  test("a call that fails reports the error with its causes", async () => {
    failure = new Error("The slot could not be made", { cause: new Error("No such device") });
    const client = connectHost(socketPath, new Tracer());
    await assert.rejects(client.openSlot(1), /could not be made: No such device/);
    await client.close();
    failure = undefined;
  });

  test("other paths are not found", async () => {
    assert.equal(await post("constructor", "[]"), 404);
    assert.equal(await post("__proto__", "[]"), 404);
  });

  test("any bytes are refused or are a call of its schema, seed 1 to 500", async () => {
    const pieces = ['"', "[", "]", "{", "}", ",", ":", "7", machineId, "..", "/", "null", "pid"];
    for (let seed = 1; seed <= 500; seed += 1) {
      const random = seededRandom(seed);
      const name = names[Math.floor(random() * names.length)] ?? "openSlot";
      const pick = () => pieces[Math.floor(random() * pieces.length)] ?? "";
      const body = `[${Array.from({ length: Math.floor(random() * 8) }, pick).join("")}]`;
      asked.length = 0;
      const status = await post(name, body);
      assert.ok(status === 200 || status === 400, `seed ${seed}: ${status}`);
      for (const [call, request] of asked) {
        assert.ok(hostCalls[call as HostCall].request.safeParse(request).success, `seed ${seed}`);
      }
    }
  });
});
