import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { WireError } from "@opencomputer/protocol/api";
import { readSettings, serviceLimits, traceSettingSchemas } from "@opencomputer/protocol/wire";
import { openTracer } from "./open-tracer.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const key = "receiver-canary";

/** A receiver, and a tracer that sends to it. */
async function scenario(
  t: TestContext,
  {
    respond,
    environment,
  }: {
    respond: (response: ServerResponse) => void;
    environment?: Record<string, string>;
  },
) {
  const bodies: Buffer[] = [];
  const headers: unknown[] = [];
  const server = createServer(async (request, response) => {
    headers.push(request.headers["x-key"]);
    bodies.push(await buffer(request));
    respond(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const settings = readSettings(traceSettingSchemas, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`,
    OTEL_EXPORTER_OTLP_HEADERS: `x-key=${key}`,
    ...environment,
  });
  const lines: string[] = [];
  const warn = (...entry: unknown[]) => void lines.push(JSON.stringify(entry));
  const opened = await openTracer(settings, { processName: "test", log: { warn } });
  return { ...opened, bodies, headers, lines };
}

const take = (response: ServerResponse) => void response.writeHead(200).end();
const parent = { traceId, spanId: "00f067aa0ba902b7" };

describe("openTracer", () => {
  test("sends spans with names, ids and codes, and no text of an error", async (t) => {
    const { tracer, close, bodies, headers } = await scenario(t, {
      respond: take,
      environment: { OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=staging" },
    });
    const server = tracer.start({
      ...{ name: "POST /things", kind: "server", parent: { ...parent, isSampled: true } },
      attributes: { route: "/things", method: "POST" },
    });
    assert.equal(server.context.traceId, traceId);
    assert.notEqual(server.context.spanId, parent.spanId);
    server.end({ code: "ok", isFailure: false, attributes: { statusCode: 201 } });
    await assert.rejects(
      tracer.trace("phase", () => Promise.reject(new WireError("guest_failed", "canary text")), {
        sandboxId: "sb-1",
      }),
    );
    await close();
    const sent = Buffer.concat(bodies);
    for (const text of [
      ...["opencomputer-test", "staging", "POST /things", "http.route", "/things", "phase"],
      ...["opencomputer.sandbox.id", "sb-1", "opencomputer.code", "guest_failed"],
    ]) {
      assert.ok(sent.includes(text), text);
    }
    assert.ok(sent.includes(Buffer.from(traceId, "hex")));
    assert.ok(sent.includes(Buffer.from(parent.spanId, "hex")));
    for (const text of ["canary", key]) assert.ok(!sent.includes(text), text);
    assert.deepEqual(new Set(headers), new Set([key]));
  });

  for (const [sampler, isCallers, isSampled] of [
    ["parentbased_always_on", false, false],
    ["parentbased_always_off", true, true],
    ["parentbased_always_off", undefined, false],
    ["parentbased_traceidratio", undefined, false],
    ["traceidratio", true, false],
    ["always_on", false, true],
    ["always_off", true, false],
  ] as const) {
    test(`${sampler} samples ${isSampled ? "what" : "nothing of what"} a caller marks ${isCallers}`, async (t) => {
      const { tracer, close, bodies } = await scenario(t, {
        respond: take,
        environment: { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: "0" },
      });
      const span = tracer.start({
        ...{ name: "request", kind: "server", attributes: {} },
        parent: isCallers === undefined ? undefined : { ...parent, isSampled: isCallers },
      });
      assert.equal(span.context.isSampled, isSampled);
      assert.match(span.context.traceId, /^[0-9a-f]{32}$/);
      span.end({ code: "ok", isFailure: false });
      await close();
      assert.equal(bodies.length, isSampled ? 1 : 0);
    });
  }

  test("a receiver that hangs has a bounded number of spans waiting, and the end does not wait for it", async (t) => {
    const { tracer, close, bodies } = await scenario(t, {
      respond: () => undefined,
      environment: { OTEL_EXPORTER_OTLP_TIMEOUT: "60000" },
    });
    for (let index = 0; index < 50_000; index += 1) {
      const name = `span-${index}.`;
      tracer
        .start({ name, kind: "internal", parent: undefined, attributes: {} })
        .end({ code: "ok", isFailure: false });
    }
    // The receiver never responds: this resolves because it waits no longer than its limit.
    await close();
    const sent =
      Buffer.concat(bodies)
        .toString("latin1")
        .match(/span-\d+\./g) ?? [];
    const kept = serviceLimits.traceSpansQueuedMax + serviceLimits.traceSpansPerExportMax;
    assert.ok(sent.length > 0 && sent.length <= kept, `${sent.length} spans were kept`);
  });

  test("a receiver that refuses costs one line of the log, without the key", async (t) => {
    const { tracer, close, lines } = await scenario(t, {
      respond: (response) => void response.writeHead(403).end("canary of the receiver"),
    });
    for (let index = 0; index < 2_000; index += 1) {
      tracer
        .start({ name: "span", kind: "internal", parent: undefined, attributes: {} })
        .end({ code: "ok", isFailure: false });
    }
    await close();
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /spans cannot be exported/);
    assert.doesNotMatch(lines[0] ?? "", /canary/);
  });

  for (const [environment, isLoaded] of [
    [{}, false],
    [{ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }, true],
  ] as const) {
    const what = isLoaded ? "loads the code of OpenTelemetry" : "loads no code of OpenTelemetry";
    test(`${what} with ${Object.keys(environment).join(" and ") || "nothing set"}`, async () => {
      const script = `
        import { registerHooks } from "node:module";
        import { readSettings, traceSettingSchemas } from "@opencomputer/protocol/wire";
        let isLoaded = false;
        registerHooks({
          resolve(specifier, context, next) {
            const resolved = next(specifier, context);
            isLoaded ||= resolved.url.includes("/@opentelemetry/");
            return resolved;
          },
        });
        const { openTracer } = await import("./open-tracer.ts");
        const settings = readSettings(traceSettingSchemas, ${JSON.stringify(environment)});
        await openTracer(settings, { processName: "test", log: {} });
        console.log(isLoaded);
        process.exit();
      `;
      const options = ["--conditions=source", "--input-type=module", "--eval", script];
      const { stdout } = await promisify(execFile)(process.execPath, options, {
        cwd: import.meta.dirname,
      });
      assert.equal(stdout, `${isLoaded}\n`);
    });
  }
});
