import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type OtlpReceiver,
  type ReceivedSpan,
  type Scenario,
  startOtlpReceiver,
  startScenario,
} from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";

const host = "api.example.com";
const secretCanary = "sk-traces-canary-4Kq9Zr2w";
/** Span of the test, which calls. */
const callerSpanId = "00f067aa0ba902b7";
/** Text of a caller or a guest, anywhere in a request. */
const textCanary = "text-canary-7Yb3Xn";
const receiverKey = "receiver-canary-1Lm5Vt";
const createdSchema = z.object({ sandboxID: z.string() });

describe("traces that a receiver of the operator gets", () => {
  let receiver: OtlpReceiver;
  let scenario: Scenario;
  before(async () => {
    receiver = await startOtlpReceiver();
    scenario = await startScenario({
      hosts: [host],
      environment: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS: `x-receiver-key=${receiverKey}`,
      },
    });
  });
  after(async () => {
    receiver.mode = "hangs";
    try {
      assert.deepEqual(await scenario.end(), []);
    } finally {
      await receiver.close();
    }
  });

  /** Calls the API in a trace of its own, and returns the spans of that trace, each before those within it. */
  async function traceOf(method: string, path: string, body?: object) {
    const { apiUrl, apiKey } = scenario.connection;
    const traceId = randomBytes(16).toString("hex");
    const response = await fetch(`${apiUrl}/api${path}`, {
      method,
      headers: {
        "x-api-key": apiKey,
        traceparent: `00-${traceId}-${callerSpanId}-01`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    // The span of the request is the last to end, and each process sends its own.
    const isRoot = ({ parentSpanId }: ReceivedSpan) => parentSpanId === callerSpanId;
    const ofTrace = () => receiver.spans.filter((span) => span.traceId === traceId);
    await receiver.until(() => {
      const spans = ofTrace();
      const ids = new Set(spans.map(({ spanId }) => spanId));
      const isWhole = spans.every((span) => isRoot(span) || ids.has(span.parentSpanId));
      const calls = spans.filter(({ name }) => name.startsWith("worker "));
      const served = new Set(spans.map(({ parentSpanId }) => parentSpanId));
      return isWhole && spans.some(isRoot) && calls.every(({ spanId }) => served.has(spanId));
    });
    const spans = inOrder(ofTrace(), callerSpanId);
    const { length } = spans.filter(isRoot);
    assert.equal(length, 1);
    const nameOf = ({ service, name }: ReceivedSpan) =>
      `${service.replace("opencomputer-", "")}: ${name}`;
    return { status: response.status, text, spans, names: spans.map(nameOf), traceId };
  }

  /** Asserts that spans came in this order; others may be between them. */
  function assertPhases(names: readonly string[], phases: readonly string[]): void {
    let index = -1;
    for (const phase of phases) {
      const next = names.indexOf(phase, index + 1);
      assert.ok(next > index, `${phase} is missing or out of order in\n${names.join("\n")}`);
      index = next;
    }
  }

  test("a create, a command, a hibernation, a wake, a checkpoint, a fork and a kill are one trace each, across processes", async () => {
    const created = await traceOf("POST", "/sandboxes", { timeout: 0 });
    assert.equal(created.status, 201);
    assertPhases(created.names, [
      "control-plane: POST /api/sandboxes",
      "control-plane: create sandbox",
      "control-plane: admit sandbox",
      "control-plane: worker prepare",
      "worker: POST /v1/sandboxes",
      "worker: take machine",
      "worker: assign machine",
      "control-plane: egress-proxy put session",
      "control-plane: worker start",
      "worker: POST /v1/sandboxes/:sandboxId/start",
      "worker: start guest",
      "worker: agent configure",
    ]);
    const { sandboxID: id } = createdSchema.parse(JSON.parse(created.text));
    for (const { name, attributes, isFailure } of created.spans) {
      assert.deepEqual([attributes["opencomputer.code"], isFailure], ["ok", false], name);
    }
    const makes = created.spans.find(({ name }) => name === "create sandbox");
    assert.equal(makes?.attributes["opencomputer.sandbox.id"], id);
    const ended = created.spans.every(
      (span) => span.endedAtNanoseconds >= span.startedAtNanoseconds,
    );
    assert.ok(ended);

    const path = `/sandboxes/${id}`;
    const command = { cmd: "echo", args: [textCanary], envs: { CANARY: secretCanary } };
    const executed = await traceOf("POST", `${path}/exec/run`, command);
    assert.deepEqual(executed.names, [
      "control-plane: POST /api/sandboxes/:id/exec/run",
      "control-plane: worker run command",
      "worker: POST /v1/sandboxes/:sandboxId/exec/run",
      "worker: agent run command",
    ]);

    assertPhases((await traceOf("POST", `${path}/hibernate`)).names, [
      "control-plane: hibernate sandbox",
      "control-plane: worker hibernate",
      "worker: POST /v1/sandboxes/:sandboxId/hibernate",
      "worker: save machine",
      "worker: agent sync",
      "control-plane: egress-proxy delete session",
    ]);
    assertPhases((await traceOf("POST", `${path}/wake`, {})).names, [
      "control-plane: POST /api/sandboxes/:id/wake",
      "control-plane: wake sandbox",
      "control-plane: worker wake",
      "worker: POST /v1/sandboxes/:sandboxId/wake",
      "worker: take machine",
      "control-plane: egress-proxy put session",
      "control-plane: worker start",
      "worker: start guest",
    ]);

    const saved = await traceOf("POST", `${path}/checkpoints`, { name: textCanary });
    assertPhases(saved.names, [
      "control-plane: make checkpoint",
      "control-plane: worker make checkpoint",
      "worker: PUT /v1/checkpoints/:checkpointId",
      "worker: save machine",
    ]);
    const { id: checkpointId } = z.object({ id: z.string() }).parse(JSON.parse(saved.text));
    const forked = await traceOf("POST", `/sandboxes/from-checkpoint/${checkpointId}`, {});
    assert.equal(forked.status, 201);
    assertPhases(forked.names, [
      "control-plane: POST /api/sandboxes/from-checkpoint/:cid",
      "control-plane: create sandbox",
      "control-plane: worker prepare",
      "worker: take machine",
      "control-plane: egress-proxy put session",
      "control-plane: worker start",
      "worker: start guest",
    ]);
    assertPhases((await traceOf("DELETE", path)).names, [
      "control-plane: DELETE /api/sandboxes/:id",
      "control-plane: kill sandbox",
      "control-plane: worker delete",
      "worker: DELETE /v1/sandboxes/:sandboxId",
    ]);
  });

  test("a create that fails has its code, and the logs of both processes have the trace", async () => {
    const failed = await traceOf("POST", "/sandboxes", { secretStore: textCanary });
    const [request] = failed.spans;
    assert.equal(request?.attributes["opencomputer.code"], "secret_store_not_found");
    assert.equal(request?.attributes["http.response.status_code"], failed.status);

    const { sandboxId: id } = await scenario.createSandbox();
    const missing = await traceOf("POST", `/sandboxes/${id}/exec/run`, {
      cmd: textCanary,
      args: [],
    });
    for (const { name, attributes, isFailure } of missing.spans) {
      const isServer = name.startsWith("POST ");
      assert.equal(attributes["opencomputer.code"], "command_not_found", name);
      assert.equal(isFailure, !isServer, name);
    }
    const logOf = (name: string) =>
      readFile(join(scenario.installation.dataDirectory, "logs", `${name}.log`), "utf8");
    const hibernated = await traceOf("POST", `/sandboxes/${id}/hibernate`);
    for (const [part, message] of [
      ["control-plane", "sandbox hibernated"],
      ["worker", "A sandbox was hibernated"],
    ] as const) {
      const line = new RegExp(`"traceId":"${hibernated.traceId}".*"msg":"${message}"`);
      assert.match(await logOf(part), line);
    }
  });

  test("no exported byte has a secret, a command, a path or a query; the receiver's key is in no environment", async () => {
    const { name } = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { KEY: secretCanary },
    });
    const sandbox = await scenario.createSandbox({ secretStore: name, envs: { A: textCanary } });
    await sandbox.exec.run(`curl -s https://${host}/${textCanary} -H "x-key: $KEY"`);
    await sandbox.files.write(`/tmp/${textCanary}`, secretCanary);
    await sandbox.files.read(`/tmp/${textCanary}`);
    await assert.rejects(Sandbox.connect(textCanary, scenario.connection));
    const path = `/sandboxes/${sandbox.sandboxId}/files?path=${textCanary}`;
    const { names } = await traceOf("GET", path);
    assert.equal(names[0], "control-plane: GET /api/sandboxes/:id/files");

    assert.ok(receiver.requests.length > 1);
    for (const { path: receiverPath, headers, body } of receiver.requests) {
      assert.equal(receiverPath, "/v1/traces");
      assert.ok(headers.includes(receiverKey));
      for (const canary of [secretCanary, textCanary, receiverKey, host]) {
        assert.ok(!body.includes(canary), `${canary} was exported`);
      }
    }
    for (const part of ["control-plane", "worker"] as const) {
      const [processId] = await scenario.installation.pidsOf(part);
      const environment = await readFile(`/proc/${processId}/environ`, "utf8");
      assert.ok(environment.includes(receiver.url), part);
      assert.ok(!environment.includes(receiverKey), part);
    }
  });

  for (const mode of ["hangs", "refuses"] as const) {
    test(`a receiver that ${mode} costs requests nothing`, async () => {
      const { sandboxId: id } = await scenario.createSandbox();
      const { apiUrl, apiKey } = scenario.connection;
      const milliseconds = async () => {
        const startedAt = performance.now();
        for (let request = 0; request < 200; request += 1) {
          const headers = { "x-api-key": apiKey };
          const response = await fetch(`${apiUrl}/api/sandboxes/${id}`, { headers });
          assert.equal(response.status, 200);
          await response.arrayBuffer();
        }
        return performance.now() - startedAt;
      };
      await milliseconds();
      const withReceiver = await milliseconds();
      receiver.mode = mode;
      try {
        const without = await milliseconds();
        // A request that waited for one export would take longer than all of them.
        assert.ok(without < 5 * withReceiver + 2_000, `${withReceiver} ms, then ${without} ms`);
      } finally {
        receiver.mode = "takes";
      }
    });
  }
});

/** The spans below one, each followed by those within it, in the order of their start in whole milliseconds. */
function inOrder(spans: readonly ReceivedSpan[], parentSpanId: string): ReceivedSpan[] {
  const within = spans.filter((span) => span.parentSpanId === parentSpanId);
  const difference = (one: bigint, other: bigint) => Number(one - other);
  const sorted = within.toSorted(
    (one, other) =>
      difference(one.startedAtNanoseconds, other.startedAtNanoseconds) ||
      difference(one.endedAtNanoseconds, other.endedAtNanoseconds),
  );
  return sorted.flatMap((span) => [span, ...inOrder(spans, span.spanId)]);
}
