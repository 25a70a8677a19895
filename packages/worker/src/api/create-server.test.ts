import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Tracer } from "@opencomputer/process";
import { errorBodySchema, WireError } from "@opencomputer/protocol/api";
import {
  type MachineUsage,
  metricsResponseSchema,
  workerStatusSchema,
  workerUsageSchema,
} from "@opencomputer/protocol/wire";
import { pino } from "pino";
import type { Worker } from "../start/create-worker.ts";
import { createJournal } from "../testing/fake-machines.ts";
import { createFakeSaved } from "../testing/sandboxes-scenario.ts";
import { createUseWatch } from "../use/create-use-watch.ts";
import { commandArguments } from "./command-routes.ts";
import { createServer } from "./create-server.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
const sandbox = {
  sandboxId,
  state: "running",
  sourceAddress: "198.18.4.6",
  machineId: "5f0c3c52-9f7e-4c2e-8a55-0f4f5d6c7b8a",
  memory: "kept",
  lostBecause: null,
} as const;
const reading: MachineUsage = {
  ...{ sandboxId, machineId: sandbox.machineId, hasEnded: false },
  ...{ startedAt: "2026-01-02T03:04:05.678Z", readAt: "2026-01-02T03:05:05.678Z" },
  ...{ cpuMilliseconds: 1200, memoryBytes: 4096, diskBytes: 8192 },
  ...{ networkReceivedBytes: 3, networkSentBytes: 4 },
};
const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";
const policy = { egressMode: "open", envs: { A: "1" } };
const spec = {
  sandboxId,
  cpuCount: 1,
  memoryMB: 1024,
  diskMB: null,
  egressMode: "open",
  envs: {},
  checkpointId: null,
};

/** The routes over a worker that only records its calls. */
function scenario(failure?: Error) {
  const asked: unknown[] = [];
  const respond = async () => {
    if (failure !== undefined) throw failure;
    return sandbox;
  };
  const worker: Worker = {
    status: () => ({
      instanceId: "7b6a1f0e-6d0c-4f5b-8f59-2c5c6f5a9d10",
      ready: false,
      stage: "starting",
      failure: null,
      accelerator: null,
      cpuCountMax: 2,
      memoryMBMax: 4096,
      sandboxCount: 0,
      limitsEnforced: true,
      quarantined: [],
    }),
    readUsage: async () => [reading],
    occupancy: () => ({ slots: { taken: 3, total: 200 }, warmMachines: { ready: 1, wanted: 2 } }),
    trust: (certificatePem) => void asked.push(certificatePem),
    noteActivity: () => undefined,
    close: async () => undefined,
    useWatch: createUseWatch(),
    cpuWatch: { lastUsedAt: () => new Date("2026-01-02T03:04:05.678Z") },
    sandboxes: {
      processes: () => [],
      runningMachines: () => [],
      removeCheckpoint: async (checkpointId) => void asked.push(checkpointId),
      prepare: (request) => {
        asked.push(request);
        return respond();
      },
      start: respond,
      get: () => sandbox,
      list: () => [sandbox],
      remove: async () => void (await respond()),
      hibernate: async (...request) => {
        asked.push(request);
        await respond();
        return { sizeBytes: 4096 };
      },
      wake: (...request) => {
        asked.push(request);
        return respond();
      },
      restore: (...request) => {
        asked.push(request);
        return respond();
      },
      reboot: (...request) => {
        asked.push(request);
        return respond();
      },
      scale: (...request) => {
        asked.push(request);
        return respond();
      },
      setAutoscale: respond,
      setScalingLock: respond,
      listRunning: () => [],
      makeCheckpoint: async (...request) => {
        asked.push(request);
        await respond();
        return { checkpointId, kind: "full", sizeBytes: 4096, pauseMilliseconds: 1.5 };
      },
      agentOf: () => {
        throw new WireError("sandbox_not_running", "It does not run");
      },
      adopt: async () => undefined,
      goldenFingerprints: () => [],
      trimLogs: async () => undefined,
      whenIdle: async () => new Set(),
      release: async () => undefined,
    },
    checkpoints: createFakeSaved(createJournal(), "checkpoint"),
  };
  return { server: createServer(worker, new Tracer(), pino({ level: "silent" })), asked };
}

describe("createServer: metrics", () => {
  test("has what of the host is in use, and requests by their outcome", async () => {
    const { server } = scenario(new WireError("capacity_exhausted", "full"));
    await server.inject({ method: "POST", url: "/v1/sandboxes", payload: spec });
    const { text } = metricsResponseSchema.parse((await server.inject("/v1/metrics")).json());
    for (const line of [
      'opencomputer_worker_sandboxes{state="running"} 1',
      'opencomputer_worker_sandboxes{state="hibernated"} 0',
      "opencomputer_worker_ready 0",
      "opencomputer_worker_quarantined_records 0",
      "opencomputer_worker_slots_taken 3",
      "opencomputer_worker_slots 200",
      "opencomputer_worker_warm_machines 1",
      "opencomputer_worker_warm_machines_wanted 2",
      'opencomputer_worker_requests_total{method="POST",route="/v1/sandboxes",code="capacity_exhausted"} 1',
    ]) {
      assert.ok(text.split("\n").includes(line), line);
    }
    assert.doesNotMatch(text, /sb-/);
  });
});

describe("createServer", () => {
  test("returns the status", async () => {
    const { server } = scenario();
    const response = await server.inject({ url: "/v1/status" });
    assert.equal(workerStatusSchema.parse(response.json()).stage, "starting");
  });

  test("returns the usage of machines", async () => {
    const { server } = scenario();
    const response = await server.inject({ url: "/v1/usage" });
    assert.deepEqual(workerUsageSchema.parse(response.json()), [reading]);
  });

  test("passes a request on as it was parsed", async () => {
    const { server, asked } = scenario();
    const response = await server.inject({
      method: "POST",
      url: "/v1/sandboxes",
      payload: { ...spec, unknown: 1 },
    });
    assert.equal(response.statusCode, 201);
    assert.deepEqual(response.json(), sandbox);
    assert.deepEqual(asked, [spec]);
  });

  const refusals: {
    what: string;
    method: "GET" | "POST" | "PUT" | "DELETE";
    url: string;
    payload?: string | object;
    headers?: Record<string, string>;
    status: number;
    code: string;
  }[] = [
    { what: "an unknown route", method: "GET", url: "/v2", status: 404, code: "not_found" },
    {
      what: "an invalid id",
      method: "GET",
      url: "/v1/sandboxes/..%2fx",
      status: 400,
      code: "invalid_request",
    },
    {
      what: "a body of another form",
      method: "POST",
      url: "/v1/sandboxes",
      payload: { ...spec, cpuCount: 9 },
      status: 400,
      code: "invalid_request",
    },
    { what: "no body", method: "POST", url: "/v1/sandboxes", status: 400, code: "invalid_request" },
    {
      what: "a body that is no JSON",
      method: "POST",
      url: "/v1/sandboxes",
      payload: "{",
      headers: { "content-type": "application/json" },
      status: 400,
      code: "invalid_json",
    },
    {
      what: "a body of another type",
      method: "POST",
      url: "/v1/sandboxes",
      payload: "x",
      headers: { "content-type": "text/xml" },
      status: 415,
      code: "unsupported_media_type",
    },
    {
      what: "an invalid certificate",
      method: "PUT",
      url: "/v1/trust",
      payload: { certificatePem: "x" },
      status: 400,
      code: "invalid_request",
    },
    {
      what: "a command for a sandbox that does not run",
      method: "POST",
      url: `/v1/sandboxes/${sandboxId}/exec/run`,
      payload: { cmd: "true" },
      status: 409,
      code: "sandbox_not_running",
    },
    {
      what: "a file without a path",
      method: "GET",
      url: `/v1/sandboxes/${sandboxId}/files`,
      status: 400,
      code: "invalid_request",
    },
    {
      what: "a path with NUL",
      method: "GET",
      url: `/v1/sandboxes/${sandboxId}/files?path=a%00b`,
      status: 400,
      code: "invalid_request",
    },
  ];
  for (const { what, status, code, ...request } of refusals) {
    test(`refuses ${what} with ${code}`, async () => {
      const { server } = scenario();
      const response = await server.inject(request);
      assert.equal(response.statusCode, status, response.body);
      assert.equal(errorBodySchema.parse(response.json()).code, code);
    });
  }

  const lives: [
    method: "POST" | "PUT",
    path: string,
    body: object | undefined,
    asked: unknown[],
  ][] = [
    ["POST", `sandboxes/${sandboxId}/hibernate`, undefined, [sandboxId]],
    ["POST", `sandboxes/${sandboxId}/wake`, policy, [sandboxId, policy]],
    [
      "POST",
      `sandboxes/${sandboxId}/restore`,
      { ...policy, checkpointId },
      [sandboxId, { ...policy, checkpointId }],
    ],
    [
      "PUT",
      `checkpoints/${checkpointId}`,
      { sandboxId, kind: "full" },
      [checkpointId, { sandboxId, kind: "full" }],
    ],
  ];
  for (const [method, path, payload, expected] of lives) {
    test(`${method} ${path} passes the request on, and responds`, async () => {
      const { server, asked } = scenario();
      const url = `/v1/${path}`;
      const response = await server.inject({ method, url, ...(payload && { payload }) });
      assert.equal(response.statusCode, 200, response.body);
      assert.deepEqual(asked, [expected]);
      if (payload === undefined) return;
      const refused = await server.inject({
        method,
        url,
        payload: { ...payload, envs: 1, kind: 1 },
      });
      assert.equal(refused.statusCode, 400);
      assert.equal(asked.length, 1);
    });
  }

  test("an unexpected failure reveals no details", async () => {
    const { server } = scenario(new Error("token osb_sealed_1 in /data/x"));
    const response = await server.inject({ method: "DELETE", url: `/v1/sandboxes/${sandboxId}` });
    assert.equal(response.statusCode, 500);
    assert.equal(errorBodySchema.parse(response.json()).code, "internal_error");
    assert.ok(!response.body.includes("osb_sealed"));
  });
});

describe("commandArguments", () => {
  test("a command without arguments is a script, with arguments it is a program", () => {
    assert.deepEqual(commandArguments({ cmd: "echo $A" }), ["/bin/bash", "-c", "echo $A"]);
    assert.deepEqual(commandArguments({ cmd: "echo $A", args: null }), [
      "/bin/bash",
      "-c",
      "echo $A",
    ]);
    assert.deepEqual(commandArguments({ cmd: "echo", args: [] }), ["echo"]);
    assert.deepEqual(commandArguments({ cmd: "echo", args: ["$A"] }), ["echo", "$A"]);
  });
});
