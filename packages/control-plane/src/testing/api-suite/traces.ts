import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Tracer } from "@opencomputer/process";
import { type RecordedSpan, recordSpans } from "@opencomputer/process/testing";
import { WireError } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

export function describeTraces(openDatabase: OpenTestDatabase): void {
  const { tracer, spans } = recordSpans();
  describeWithInstallation(
    "traces",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      /** The spans of one request, each with its parent's name. */
      const tracesOf = async (work: () => Promise<unknown>) => {
        spans.length = 0;
        await work();
        await new Promise(setImmediate);
        return spans.map(({ name, parentName }) => [name, parentName]);
      };
      beforeEach(() => {
        installation().worker.before = async () => undefined;
      });

      test("a create is one trace with its phases in order, which the worker continues", async () => {
        installation().worker.traceParents.length = 0;
        const made = await tracesOf(() => call("POST", "/api/sandboxes"));
        assert.deepEqual(made, [
          ["POST /api/sandboxes", undefined],
          ["create sandbox", "POST /api/sandboxes"],
          ["admit sandbox", "create sandbox"],
          ["worker prepare", "create sandbox"],
          ["egress-proxy put session", "create sandbox"],
          ["worker start", "create sandbox"],
        ]);
        assert.equal(new Set(spans.map(({ context }) => context.traceId)).size, 1);
        for (const { end } of spans) assert.equal(end?.code, "ok");
        const spanIdOf = (name: string) =>
          spans.find((span) => span.name === name)?.context.spanId ?? assert.fail(name);
        const [prepared, started] = installation().worker.traceParents;
        assert.match(prepared ?? "", new RegExp(`-${spanIdOf("worker prepare")}-01$`));
        assert.match(started ?? "", new RegExp(`-${spanIdOf("worker start")}-01$`));
      });

      test("commands, hibernation, wake, checkpoint, fork and kill are one trace each", async () => {
        const id: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
        const path = `/api/sandboxes/${id}`;
        const run = () => call("POST", `${path}/exec/run`, { body: { cmd: "echo" } });
        assert.deepEqual(await tracesOf(run), [
          ["POST /api/sandboxes/:id/exec/run", undefined],
          ["worker run command", "POST /api/sandboxes/:id/exec/run"],
        ]);
        assert.equal(spans[0]?.attributes.sandboxId, id);

        assert.deepEqual(await tracesOf(() => call("POST", `${path}/hibernate`)), [
          ["POST /api/sandboxes/:id/hibernate", undefined],
          ["hibernate sandbox", "POST /api/sandboxes/:id/hibernate"],
          ["worker hibernate", "hibernate sandbox"],
          ["egress-proxy delete session", "hibernate sandbox"],
        ]);

        // A command wakes it.
        assert.deepEqual(await tracesOf(run), [
          ["POST /api/sandboxes/:id/exec/run", undefined],
          ["wake sandbox", "POST /api/sandboxes/:id/exec/run"],
          ["worker wake", "wake sandbox"],
          ["egress-proxy put session", "wake sandbox"],
          ["worker start", "wake sandbox"],
          ["worker run command", "POST /api/sandboxes/:id/exec/run"],
        ]);

        let checkpointId = "";
        const names = await tracesOf(async () => {
          const made = await call("POST", `${path}/checkpoints`, { body: { name: "one" } });
          checkpointId = made.json.id;
        });
        assert.deepEqual(names.slice(1), [
          ["make checkpoint", "POST /api/sandboxes/:id/checkpoints"],
          ["worker make checkpoint", "make checkpoint"],
        ]);
        assert.equal(spans[1]?.attributes.checkpointId, checkpointId);

        const forked = await tracesOf(() =>
          call("POST", `/api/sandboxes/from-checkpoint/${checkpointId}`, { body: {} }),
        );
        assert.deepEqual(
          forked.map(([name]) => name),
          [
            "POST /api/sandboxes/from-checkpoint/:cid",
            ...["create sandbox", "admit sandbox", "worker prepare"],
            ...["egress-proxy put session", "worker start"],
          ],
        );

        const killed = await tracesOf(() => call("DELETE", path));
        assert.deepEqual(killed.slice(0, 2), [
          ["DELETE /api/sandboxes/:id", undefined],
          ["kill sandbox", "DELETE /api/sandboxes/:id"],
        ]);
        assert.ok(killed.some(([name]) => name === "worker delete"));
      });

      test("a caller's trace is continued, and the log has its id", async () => {
        const made = await call("POST", "/api/sandboxes", { headers: { traceparent } });
        assert.equal(made.status, 201);
        const continued = spans.filter(({ context }) => context.traceId === traceId);
        assert.equal(continued[0]?.parent?.spanId, "00f067aa0ba902b7");
        assert.equal(continued.length, 6);
        const logged = new RegExp(`"traceId":"${traceId}"[^\\n]*"route":"/api/sandboxes"`);
        assert.match(installation().recorded(), logged);
      });

      test("a create that fails has the code in the spans that failed, and no text", async () => {
        installation().worker.before = async (step) => {
          if (step === "start") throw new WireError("guest_failed", "canary of the guest");
        };
        await tracesOf(() => call("POST", "/api/sandboxes", { body: { envs: { KEY: "canary" } } }));
        const codeOf = (name: string): RecordedSpan["end"] =>
          spans.find((span) => span.name === name)?.end;
        assert.equal(codeOf("POST /api/sandboxes")?.code, "guest_failed");
        assert.deepEqual(codeOf("create sandbox"), { code: "guest_failed", isFailure: true });
        assert.deepEqual(codeOf("worker start"), { code: "guest_failed", isFailure: true });
        assert.equal(codeOf("worker prepare")?.code, "ok");
        assert.ok(spans.some(({ name }) => name === "worker delete"));
        assert.doesNotMatch(JSON.stringify(spans), /canary/);
      });

      test("probes and polls make no spans, and a malformed traceparent is ignored", async () => {
        const made = await tracesOf(async () => {
          await call("GET", "/api/health");
          await call("GET", "/api/openapi.json");
          await new Promise((resolve) => setTimeout(resolve, 1_200));
        });
        assert.deepEqual(made, []);
        const headers = { traceparent: "00-canary" };
        assert.equal((await call("GET", "/api/sandboxes", { headers })).status, 200);
        assert.equal(spans[0]?.parent, undefined);
      });

      test("without an exporter the log of a request has one id", async () => {
        await installation().restart({ tracer: new Tracer() });
        await call("GET", "/api/sandboxes");
        // Those of the spans above begin otherwise.
        const logged = /"traceId":"(?!0000|4bf92f35)[0-9a-f]{32}","spanId":"[0-9a-f]{16}"/;
        assert.match(installation().recorded(), logged);
      });
    },
    { tracer },
  );
}
