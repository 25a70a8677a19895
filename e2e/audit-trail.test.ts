import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  readAuditLines,
  type Scenario,
  startScenario,
  startSharedScenario,
  untilAudited,
} from "@opencomputer/harness";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Sandbox } from "@opencomputer/sdk";

const host = "api.example.test";
const refusedHost = "refused.example.test";
const floodTimeoutSeconds = 600;

describe("an audit trail whose disk is full", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  before(async () => {
    scenario = await startScenario({
      hosts: [host],
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
      auditDiskBytes: 8 * 1024 * 1024,
    });
    const store = await scenario.createStore({ egressAllowlist: [host] });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  /** The status of a request of this path. */
  const send = async (path: string): Promise<string> => {
    const { stdout } = await sandbox.exec.run(
      `curl -sS -o /dev/null -w '%{http_code}' https://${host}/${path}`,
    );
    return stdout;
  };
  const untilStatus = async (status: string, prefix: string): Promise<string[]> => {
    const served: string[] = [];
    for (let index = 0; ; index += 1) {
      const path = `${prefix}-${index}`;
      const received = await send(path);
      if (received === "200") served.push(`/${path}`);
      if (received === status) return served;
    }
  };

  test("no request leaves while it is full, each that left is audited, and egress works again with space", async () => {
    const { auditDisk, installation } = scenario;
    assert.ok(auditDisk !== undefined);
    const served = await untilStatus("200", "before");
    await auditDisk.fill(0);
    served.push(...(await untilStatus("503", "full")));
    const { requests } = scenario.internet;
    const sentBefore = requests.length;
    assert.equal(await send("refused"), "503");
    assert.equal(requests.length, sentBefore);
    assert.match(installation.output(), /Audit lines cannot be written to .*ENOSPC/);

    await auditDisk.free();
    served.push(...(await untilStatus("200", "after")));
    const lines = await untilAudited(installation.dataDirectory, sandbox.sandboxId, (written) =>
      written.some(({ path, decision }) => path === served.at(-1) && decision === "allowed"),
    );
    const audited = lines.filter(({ decision }) => decision === "allowed");
    assert.deepEqual(
      audited.map(({ path }) => path),
      served,
    );
    assert.deepEqual(
      requests.map(({ url }) => url),
      served,
    );
    assert.doesNotMatch(installation.output(), /Audit lines were lost/);
  });
});

describe("no sandbox displaces the audit trail of another (full run)", () => {
  let scenario: Scenario;
  let quiet: Sandbox;
  let loud: Sandbox;
  const pathOf = (file: string) => join(scenario.installation.dataDirectory, file);

  before(async () => {
    scenario = await startSharedScenario({ hosts: [host, refusedHost] });
    const store = await scenario.createStore({ egressAllowlist: [host] });
    quiet = await scenario.createSandbox({ secretStore: store.name });
    loud = await scenario.createSandbox({ secretStore: store.name });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  /** Each path is longer than what a line keeps of it, and the first as long as one can be. */
  const flood = (name: string) =>
    loud.exec.run(
      `path() { head -c $1 /dev/zero | tr '\\0' a; }
       curl -sS -o /dev/null -o /dev/null "https://${name}/$(path 60000)" "https://${name}/[1-870]/$(path 3000)"`,
      { timeout: floodTimeoutSeconds },
    );

  test("1,742 requests with long paths, refused or not, keep the other's line", async () => {
    const { dataDirectory } = scenario.installation;
    await quiet.exec.run(`curl -sS https://${host}/kept`);
    assert.equal((await flood(host)).exitCode, 0);
    await flood(refusedHost);
    const loudLines = await untilAudited(dataDirectory, loud.sandboxId, (lines) =>
      lines.some((line) => line.host === refusedHost),
    );
    for (const { path } of loudLines) {
      assert.ok(path === null || Buffer.byteLength(path) <= serviceLimits.auditTextBytesMax + 32);
    }
    const [kept] = await readAuditLines(dataDirectory, quiet.sandboxId);
    assert.equal(kept?.path, "/kept");
    const { size } = await stat(pathOf(`audit/${loud.sandboxId}.jsonl`));
    assert.ok(size <= serviceLimits.auditFileBytesMax);
  });

  test("it is apart from the process log, and for its owner alone", async () => {
    const log = await readFile(pathOf("logs/egress-proxy.log"), "utf8");
    assert.ok(!log.includes("/kept"));
    assert.equal((await stat(pathOf("audit"))).mode & 0o777, 0o700);
    const { mode } = await stat(pathOf(`audit/${quiet.sandboxId}.jsonl`));
    assert.equal(mode & 0o777, 0o600);
  });
});
