import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { errorBodySchema, limits } from "@opencomputer/protocol/api";
import {
  type EgressSession,
  egressLogBatchSchema,
  egressPolicySchema,
  egressProxyStatusSchema,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import { createLeafKey } from "../certificates/leaf-certificate.ts";
import { createLeafContexts } from "../certificates/leaf-contexts.ts";
import { EgressLogBuffer } from "../egress-log/egress-log-buffer.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessionVersions } from "../sessions/session-versions.ts";
import { createSessions } from "../sessions/sessions.ts";
import { testAuditLine } from "../testing/audit-lines.ts";
import { createTestAuthority } from "../testing/certificates.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import {
  createTestLog,
  otherSandboxId,
  testMachineId,
  testSandboxId,
  testSecret,
  testSession,
} from "../testing/sessions.ts";
import { createControlApi } from "./control-api.ts";
import { listenOnSocket } from "./listen-on-socket.ts";

async function scenario() {
  const logLines: string[] = [];
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased: () => undefined,
    onPolicyEnded: () => undefined,
    onAddressTaken: () => undefined,
  });
  const contexts = createLeafContexts({
    leafKey: await createLeafKey(),
    contextsMax: 10,
    now: () => new Date(),
  });
  const instanceId = randomUUID();
  const egressLog = new EgressLogBuffer({ instanceId });
  const server = createControlApi({
    egressLog,
    explain: async () => assert.fail("no request is explained"),
    sessions,
    sessionVersions: createSessionVersions(),
    contexts,
    readMetrics: async () => "# metrics",
    log: createTestLog(logLines),
  });
  const put = (path: string, body: unknown) => {
    const payload = typeof body === "string" ? body : JSON.stringify(body);
    return server.inject({
      method: "PUT",
      url: path,
      headers: { "content-type": "application/json" },
      payload,
    });
  };
  const putSession = (session: EgressSession) => put(`/v1/sessions/${session.sandboxId}`, session);
  const get = (path: string) => server.inject({ method: "GET", url: path });
  const remove = (id: string, version: number) =>
    server.inject({ method: "DELETE", url: `/v1/sessions/${id}?version=${version}` });
  return { server, sessions, egressLog, instanceId, logLines, put, putSession, get, remove };
}

describe("createControlApi: egress log", () => {
  test("POST returns the lines until they are acknowledged", async () => {
    const { server, egressLog, instanceId } = await scenario();
    const read = async (payload: unknown) => {
      const url = "/v1/egress-log/read";
      const headers = { "content-type": "application/json" };
      return await server.inject({
        method: "POST",
        url,
        headers,
        payload: JSON.stringify(payload),
      });
    };
    egressLog.keep(testAuditLine({ path: "/first" }), {}, 0);
    for (const acknowledged of [null, { instanceId: randomUUID(), sequence: 1 }]) {
      const { lines } = egressLogBatchSchema.parse(
        (await read({ acknowledged, waitSeconds: 0 })).json(),
      );
      assert.deepEqual(
        lines.map(({ sequence, path }) => [sequence, path]),
        [[1, "/first"]],
      );
    }
    const last = await read({ acknowledged: { instanceId, sequence: 1 }, waitSeconds: 0 });
    assert.deepEqual(egressLogBatchSchema.parse(last.json()), { instanceId, lines: [] });
    for (const refused of [{}, { acknowledged: null, waitSeconds: 3600 }]) {
      assert.equal((await read(refused)).statusCode, 400);
    }
  });
});

test("createControlApi returns metrics", async () => {
  const { get } = await scenario();
  assert.deepEqual((await get("/v1/metrics")).json(), { text: "# metrics" });
});

describe("createControlApi: sessions", () => {
  test("PUT puts a session into effect, GET returns its policy without tokens and values", async () => {
    const { putSession, get, sessions } = await scenario();
    const limited = testSecret("b", { allowedHosts: ["api.example.com"] });
    const response = await putSession(testSession({ secrets: [testSecret("a"), limited] }));
    assert.equal(response.statusCode, 204);
    assert.equal(response.body, "");
    assert.equal(sessions.findPolicy("198.18.4.6")?.secrets[0]?.value, testSecret("a").value);
    const described = await get(`/v1/sessions/${testSandboxId}`);
    assert.equal(described.statusCode, 200);
    assert.deepEqual(egressPolicySchema.parse(described.json()), {
      sandboxId: testSandboxId,
      version: 1,
      machineId: testMachineId,
      sourceAddress: "198.18.4.6",
      mode: "allowlisted",
      egressAllowlist: ["api.example.com"],
      perSecretAllowedHosts: { SECRET_b: ["api.example.com"] },
    });
    assert.ok(!described.body.includes("canary") && !described.body.includes("osb_sealed"));
  });

  test("a second PUT rotates: same token, new value", async () => {
    const { putSession, sessions } = await scenario();
    await putSession(testSession({ secrets: [testSecret("a")] }));
    await putSession(testSession({ secrets: [testSecret("a", { value: "rotated" })] }));
    const [secret] = sessions.get(testSandboxId)?.secrets ?? [];
    assert.deepEqual([secret?.token, secret?.value], [testSecret("a").token, "rotated"]);
  });

  test("a version lower than the present or a recent one is 409 stale_session", async () => {
    const { putSession, remove, sessions } = await scenario();
    const give = (version: number, value: string) =>
      putSession(testSession({ version, secrets: [testSecret("a", { value })] }));
    const valueHeld = () => sessions.get(testSandboxId)?.secrets[0]?.value;
    assert.equal((await give(3, "former")).statusCode, 204);
    assert.equal((await give(5, "current")).statusCode, 204);
    const late = await give(4, "former");
    assert.equal(late.statusCode, 409);
    assert.equal(errorBodySchema.parse(late.json()).code, "stale_session");
    assert.equal(valueHeld(), "current");
    assert.equal((await give(5, "current")).statusCode, 204);
    await remove(testSandboxId, 5);
    assert.equal((await give(4, "former")).statusCode, 409);
    assert.equal(sessions.count, 0);
    assert.equal((await give(6, "current")).statusCode, 204);
  });

  test("a session that is refused does not count", async () => {
    const { putSession } = await scenario();
    const malformed = testSession({ version: 9, egressAllowlist: ["A.example.com"] });
    assert.equal((await putSession(malformed)).statusCode, 400);
    assert.equal((await putSession(testSession({ version: 1 }))).statusCode, 204);
  });

  test("DELETE ends a session and may be repeated; GET then returns 404", async () => {
    const { putSession, get, remove, sessions } = await scenario();
    await putSession(testSession());
    assert.equal((await remove(testSandboxId, 1)).statusCode, 204);
    assert.equal((await remove(testSandboxId, 1)).statusCode, 204);
    assert.equal(sessions.findPolicy("198.18.4.6"), undefined);
    const response = await get(`/v1/sessions/${testSandboxId}`);
    assert.equal(response.statusCode, 404);
    assert.equal(errorBodySchema.parse(response.json()).code, "sandbox_not_found");
  });

  test("DELETE leaves a session of a higher version, and keeps out one that it has overtaken", async () => {
    const { putSession, remove, sessions, server } = await scenario();
    await putSession(testSession({ version: 5 }));
    assert.equal((await remove(testSandboxId, 4)).statusCode, 204);
    assert.equal(sessions.get(testSandboxId)?.version, 5);
    assert.equal((await putSession(testSession({ version: 5 }))).statusCode, 204);
    assert.equal((await remove(testSandboxId, 7)).statusCode, 204);
    assert.equal(sessions.count, 0);
    assert.equal((await putSession(testSession({ version: 7 }))).statusCode, 409);
    assert.equal((await putSession(testSession({ version: 8 }))).statusCode, 204);

    const other = { ...testSession(), sandboxId: otherSandboxId, sourceAddress: "198.18.4.10" };
    assert.equal((await remove(otherSandboxId, 3)).statusCode, 204);
    assert.equal((await putSession({ ...other, version: 3 })).statusCode, 409);
    assert.equal((await putSession({ ...other, version: 4 })).statusCode, 204);
    for (const query of ["", "?version=", "?version=0", "?version=x"]) {
      const url = `/v1/sessions/${testSandboxId}${query}`;
      assert.equal((await server.inject({ method: "DELETE", url })).statusCode, 400, query);
    }
    assert.equal(sessions.count, 2);
  });

  test("status has the number of sessions and whether a CA is set", async () => {
    const { put, putSession, get, instanceId } = await scenario();
    const status = async () => egressProxyStatusSchema.parse((await get("/v1/status")).json());
    assert.deepEqual(await status(), {
      instanceId,
      hasCertificateAuthority: false,
      sessionCount: 0,
    });
    const { certificatePem, privateKeyPem } = await createTestAuthority();
    const response = await put("/v1/certificate-authority", { certificatePem, privateKeyPem });
    assert.equal(response.statusCode, 204);
    await putSession(testSession());
    assert.deepEqual(await status(), {
      instanceId,
      hasCertificateAuthority: true,
      sessionCount: 1,
    });
  });

  test("accepts a session with as many and as long secrets as allowed", async () => {
    const { putSession, sessions } = await scenario();
    const secrets = Array.from({ length: limits.secretsPerStoreMax }, (_, index) => ({
      name: `SECRET_${index}`,
      token: `osb_sealed_${index.toString(16).padStart(32, "0")}`,
      value: '"'.repeat(limits.secretValueBytesMax),
      allowedHosts: [],
      substituteIn: ["header"],
    }));
    assert.equal((await putSession(testSession({ secrets }))).statusCode, 204);
    assert.equal(sessions.get(testSandboxId)?.secrets.length, limits.secretsPerStoreMax);
  });
});

describe("createControlApi: errors", () => {
  const canary = "canary-value-0123456789";
  const secret = { ...testSecret("a"), value: canary };
  const path = `/v1/sessions/${testSandboxId}`;
  const cases: { name: string; path?: string; body: unknown; status: number; code: string }[] = [
    {
      name: "no JSON",
      body: `{"secrets":[{"value":"${canary}"`,
      status: 400,
      code: "invalid_json",
    },
    {
      name: "JSON that is no object",
      body: JSON.stringify(canary),
      status: 400,
      code: "invalid_request",
    },
    { name: "no body", body: "", status: 400, code: "invalid_json" },
    {
      name: "a token of the wrong form",
      body: testSession({ secrets: [{ ...secret, token: canary }] }),
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a value that is no string",
      body: { ...testSession(), secrets: [{ ...secret, value: { [canary]: 1 } }] },
      status: 400,
      code: "invalid_request",
    },
    {
      name: "an unknown mode",
      body: { ...testSession({ secrets: [secret] }), mode: canary },
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a field that the proxy does not know",
      body: { ...testSession({ secrets: [secret] }), further: canary },
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a field of a secret that the proxy does not know",
      body: testSession({ secrets: [{ ...secret, ...{ further: canary } }] }),
      status: 400,
      code: "invalid_request",
    },
    {
      name: "no version",
      body: { ...testSession({ secrets: [secret] }), version: undefined },
      status: 400,
      code: "invalid_request",
    },
    {
      name: "an invalid machine id",
      body: testSession({ secrets: [secret], machineId: canary }),
      status: 400,
      code: "invalid_request",
    },
    {
      name: "an IPv6 source address",
      body: testSession({ secrets: [secret], sourceAddress: "::1" }),
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a session of another sandbox",
      body: testSession({ secrets: [secret], sandboxId: otherSandboxId }),
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a pattern that is not canonical",
      body: testSession({ secrets: [secret], egressAllowlist: ["A.example.com"] }),
      status: 400,
      code: "invalid_host_pattern",
    },
    {
      name: "an invalid CA key",
      path: "/v1/certificate-authority",
      body: {
        certificatePem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${canary}`,
      },
      status: 400,
      code: "invalid_request",
    },
    {
      name: "a body over the limit",
      body: testSession({
        secrets: [{ ...secret, value: canary.padEnd(serviceLimits.egressSessionBytesMax, "x") }],
      }),
      status: 413,
      code: "body_too_large",
    },
    { name: "an unknown route", path: "/v1/other", body: {}, status: 404, code: "not_found" },
    {
      name: "an invalid id",
      path: "/v1/sessions/sb-1",
      body: testSession(),
      status: 400,
      code: "invalid_request",
    },
  ];
  for (const { name, path: url = path, body, status, code } of cases) {
    test(`${name} is ${status} ${code}, and the body is neither quoted nor logged`, async () => {
      const { put, sessions, logLines } = await scenario();
      const response = await put(url, body);
      assert.equal(response.statusCode, status, response.body);
      assert.equal(errorBodySchema.parse(response.json()).code, code);
      assert.ok(!response.body.includes(canary), response.body);
      assert.ok(!logLines.join("").includes(canary));
      assert.equal(sessions.count, 0);
    });
  }

  test("a body that is not declared as JSON is 415", async () => {
    const { server } = await scenario();
    const response = await server.inject({
      method: "PUT",
      url: path,
      headers: { "content-type": "text/plain" },
      payload: canary,
    });
    assert.equal(response.statusCode, 415);
    assert.equal(errorBodySchema.parse(response.json()).code, "unsupported_media_type");
  });

  test("fuzz: damaged sessions are refused with an error body or accepted completely, never 500", async () => {
    const { put, sessions, logLines } = await scenario();
    const random = createSeededRandom(8259);
    const good = JSON.stringify(testSession({ secrets: [secret] }));
    const pieces = [
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "null",
      "\\u0000",
      "1e999",
      "__proto__",
      "é",
    ];
    for (let round = 0; round < 2_000; round += 1) {
      let body = good;
      for (let change = 1 + random.below(3); change > 0; change -= 1) {
        const at = random.below(body.length);
        body = body.slice(0, at) + random.pick(pieces) + body.slice(at + random.below(6));
      }
      const response = await put(path, body);
      if (response.statusCode === 204) continue;
      assert.equal(response.statusCode, 400, `${response.statusCode} for ${body}`);
      errorBodySchema.parse(response.json());
      assert.ok(!response.body.includes("canary-value"), response.body);
    }
    assert.ok(!logLines.join("").includes("canary-value"));
    sessions.remove(testSandboxId);
    assert.equal(sessions.count, 0);
  });
});

describe("listenOnSocket", () => {
  const directory = mkdtempSync(join(tmpdir(), "egress-socket-"));
  const path = join(directory, "control.sock");
  after(() => rmSync(directory, { recursive: true }));

  test("creates a socket that only its owner and group may use, and removes it again", async () => {
    const { server } = await scenario();
    const maskBefore = process.umask();
    await listenOnSocket(server, path);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.equal(process.umask(), maskBefore);
    await server.close();
    assert.equal(existsSync(path), false);
  });

  test("refuses a socket that a running process serves", async () => {
    const living = createServer().listen(path);
    const { server } = await scenario();
    await assert.rejects(listenOnSocket(server, path), /another process serves it/);
    await new Promise((resolve) => living.close(resolve));
  });
});
