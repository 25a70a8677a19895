import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario, untilAudited } from "@opencomputer/harness";
import type { AuditLine } from "@opencomputer/protocol/wire";
import type { Sandbox } from "@opencomputer/sdk";

const webHost = "api.example.test";
const dbHost = "db.example.test";
const key = "sk-canary-ports-5b0e27d94ac1f368";

/** A client of Redis' protocol that sends PING, ends its side and prints what comes back. */
const ping = (host: string, port: number) =>
  `python3 - <<'END'
import socket
try:
    s = socket.create_connection(("${host}", ${port}), timeout=10)
    s.sendall(b"*1\\r\\n$4\\r\\nPING\\r\\n")
    s.shutdown(socket.SHUT_WR)
    print(s.makefile("rb").read().decode().strip())
except OSError as error:
    print(type(error).__name__)
END`;

/** Responds to PING after the client has ended its side. */
function serveRedis(socket: Socket): void {
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => {
    received += text;
  });
  socket.once("end", () => socket.end(received.includes("PING") ? "+PONG\r\n" : "-ERR\r\n"));
}

describe("other ports of an allowlist", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  let strict: Sandbox;

  before(async () => {
    scenario = await startSharedScenario({ hosts: [webHost] });
    scenario.internet.serveStreams(serveRedis);
    const open = await scenario.createStore({
      egressAllowlist: [webHost, `${webHost}:8443`, `tcp://${dbHost}:6379`],
      secrets: { API_KEY: { value: key, allowedHosts: [`${webHost}:8443`] } },
    });
    const closed = await scenario.createStore({ egressAllowlist: [webHost, dbHost] });
    [sandbox, strict] = await Promise.all([
      scenario.createSandbox({ secretStore: open.name }),
      scenario.createSandbox({ secretStore: closed.name }),
    ]);
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("HOST:PORT is HTTPS there, with the secrets of that port", async () => {
    const get = (port: string) =>
      sandbox.exec.run(
        `curl -sS -w '%{http_code}' https://${webHost}${port}/ -H "x-api-key: $API_KEY"`,
      );
    assert.match((await get(":8443")).stdout, /200$/);
    const [received] = scenario.internet.requestsTo(`${webHost}:8443`);
    assert.equal(received?.headers["x-api-key"], key);
    assert.match((await get("")).stdout, /200$/);
    const onCommonPort = scenario.internet.requestsTo(webHost).at(-1);
    assert.match(onCommonPort?.headers["x-api-key"] ?? "", /^osb_sealed_/);
    const other = await sandbox.exec.run(`curl -sS -w '%{http_code}' https://${dbHost}:8443/`);
    assert.match(other.stdout, /403$/);
  });

  test("tcp://HOST:PORT is a stream by name, also after a hibernation", async () => {
    assert.equal((await sandbox.exec.run(ping(dbHost, 6379))).stdout.trim(), "+PONG");
    await sandbox.hibernate();
    assert.equal((await sandbox.exec.run(ping(dbHost, 6379))).stdout.trim(), "+PONG");
    const line = await auditLine(sandbox, "allowed");
    assert.equal(line.host, `${dbHost}:6379`);
    assert.deepEqual([line.requestBytes, line.responseBytes], [14, 7]);
  });

  test("everything else is refused at once, and the audit trail has what would allow it", async () => {
    const unopened = await strict.exec.run(ping(dbHost, 6379));
    assert.equal(unopened.stdout.trim(), "ConnectionRefusedError");
    const { host, reason } = await auditLine(strict, "refused");
    assert.equal(host, dbHost);
    assert.match(reason ?? "", /tcp:\/\/db\.example\.test:6379 in the egress allowlist/);
    const byAddress = await sandbox.exec.run(ping("203.0.113.9", 6379));
    assert.equal(byAddress.stdout.trim(), "ConnectionRefusedError");
  });

  async function auditLine({ sandboxId }: Sandbox, decision: "allowed" | "refused") {
    const isWanted = (line: AuditLine) => line.kind === "tcp" && line.decision === decision;
    const { dataDirectory } = scenario.installation;
    const lines = await untilAudited(dataDirectory, sandboxId, (found) => found.some(isWanted));
    return lines.find(isWanted) ?? assert.fail();
  }
});
