import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Scenario, startScenario, untilAudited } from "@opencomputer/harness";
import { type AuditLine, guestNetwork } from "@opencomputer/protocol/wire";
import type { Sandbox } from "@opencomputer/sdk";
import { type DatabaseCluster, startDatabaseCluster } from "./database-cluster.ts";
import { copyHostPrograms, findPsql, programDirectory } from "./host-programs.ts";
import { type RedisServer, startRedisServer } from "./redis-server.ts";
import { type SimulatedNetwork, startSimulatedNetwork } from "./simulated-network.ts";
import { type SshServer, startSshServer } from "./ssh-server.ts";

const hosts = {
  web: "api.example.test",
  database: "db.example.test",
  cache: "cache.example.test",
  shell: "git.example.test",
  unlisted: "other.example.test",
};
const addresses = {
  [hosts.web]: "93.184.216.34",
  [hosts.database]: "93.184.216.35",
  [hosts.cache]: "93.184.216.36",
  [hosts.shell]: "93.184.216.37",
  [hosts.unlisted]: "93.184.216.38",
};
const key = "sk-canary-addresses-7b1e94d0c2a5f386";
const modules = fileURLToPath(new URL("../node_modules", import.meta.url));

describe("clients under an allowlist, of hosts with public addresses", () => {
  let network: SimulatedNetwork;
  let scenario: Scenario;
  let database: DatabaseCluster;
  let cache: RedisServer;
  let shell: SshServer;
  let sandbox: Sandbox;
  /** Has the same hosts, and no port of them. */
  let strict: Sandbox;

  before(async () => {
    network = await startSimulatedNetwork(addresses);
    scenario = await startScenario({
      environment: network.environment,
      publicHosts: [hosts.web],
    });
    [database, cache, shell] = await Promise.all([
      startDatabaseCluster(),
      startRedisServer(),
      startSshServer(),
    ]);
    network.serve(`${hosts.web}:443`, scenario.internet.httpsPort);
    network.serve(`${hosts.web}:8443`, scenario.internet.httpsPort);
    network.serve(`${hosts.database}:5432`, Number(new URL(database.url).port));
    network.serve(`${hosts.cache}:6379`, cache.port);
    network.serve(`${hosts.shell}:22`, shell.port);
    const places = [`${hosts.database}:5432`, `${hosts.cache}:6379`, `${hosts.shell}:22`];
    const open = await scenario.createStore({
      egressAllowlist: [hosts.web, `${hosts.web}:8443`, ...places.map((place) => `tcp://${place}`)],
      secrets: { API_KEY: { value: key, allowedHosts: [hosts.web, `${hosts.web}:8443`] } },
    });
    const closed = await scenario.createStore({
      egressAllowlist: [hosts.web, hosts.database, hosts.cache, hosts.shell],
    });
    [sandbox, strict] = await Promise.all([
      scenario.createSandbox({ secretStore: open.name }),
      scenario.createSandbox({ secretStore: closed.name }),
    ]);
    const programs = [await findPsql(), "/usr/bin/redis-cli"];
    await Promise.all([sandbox, strict].map((one) => copyHostPrograms(one, programs)));
  });
  after(async () => {
    assert.deepEqual(await scenario.end(), []);
    await Promise.all([database.stop(), cache.close(), shell.close(), network.close()]);
  });

  const run = async (script: string, on = sandbox) => {
    const { exitCode, stdout, stderr } = await on.exec.run(script, { timeout: 120 });
    return { exitCode, stdout: stdout.trim(), output: `${stdout}\n${stderr}` };
  };

  describe("names", () => {
    const lookUp = (host: string) => `python3 - <<'END'
import socket
print(socket.gethostbyname("${host}"))
print(sorted({entry[4][0] for entry in socket.getaddrinfo("${host}", 443)}))
END
node -e 'require("dns").lookup("${host}", { all: true }, (error, found) => console.log(JSON.stringify(found)))'`;
    const found = (address: string) =>
      `${address}\n['${address}']\n[{"address":"${address}","family":4}]`;

    test("an allowed name has its own address, and no IPv6 one", async () => {
      const { stdout, output } = await run(lookUp(hosts.web));
      assert.equal(stdout, found(addresses[hosts.web] ?? ""), output);
      const { stdout: answers } = await run(`dig AAAA ${hosts.web} | grep -E 'status:|flags:'`);
      assert.match(answers, /status: NOERROR[\s\S]* ANSWER: 0,/);
      assert.ok(!network.asked.includes(`AAAA ${hosts.web}`));
      const overIpv6 = await run(`python3 - <<'END'
import socket
try:
    print(socket.getaddrinfo("${hosts.web}", 443, socket.AF_INET6))
except socket.gaierror as error:
    print(error.strerror)
END`);
      assert.match(overIpv6.stdout, /^(No address associated|Name or service not known)/);
    });

    test("a refused name has the gateway's, where a client reads the reason", async () => {
      const { stdout, output } = await run(lookUp(hosts.unlisted));
      assert.equal(stdout, found(guestNetwork.gatewayAddress), output);
      const refused = await run(`curl -sS -w '%{http_code}' https://${hosts.unlisted}/`);
      assert.match(refused.stdout, /egress to other\.example\.test is not allowed[\s\S]*403$/);
      assert.deepEqual(
        network.asked.filter((question) => question.includes(hosts.unlisted)),
        [],
      );
    });

    test("a guard against request forgery lets an allowed name pass, and not a refused one (full run)", async () => {
      const guarded = ["ssrf-req-filter", "ipaddr.js"];
      const { stdout: archive } = await promisify(execFile)(
        "tar",
        ["-C", modules, "-c", ...guarded],
        {
          encoding: "buffer",
          maxBuffer: 16 * 1024 * 1024,
        },
      );
      await sandbox.files.write("/tmp/guard/modules.tar", archive);
      const get = (host: string) =>
        run(`cd /tmp/guard && mkdir -p node_modules && tar -C node_modules -xf modules.tar && node -e '
          const agent = require("ssrf-req-filter")("https://${host}/guarded");
          const headers = { "x-api-key": process.env.API_KEY };
          require("https").get("https://${host}/guarded", { agent, headers }, ({ statusCode }) => console.log(statusCode))
            .on("error", ({ message }) => console.log(message))'`);
      const allowed = await get(hosts.web);
      assert.equal(allowed.stdout, "200", allowed.output);
      assert.equal(scenario.internet.requestsTo(hosts.web).at(-1)?.headers["x-api-key"], key);
      assert.match((await get(hosts.unlisted)).stdout, /169\.254\.0\.1 is blocked/);
    });
  });

  describe("other ports", () => {
    const psql = () => {
      const url = new URL(database.url);
      url.host = `${hosts.database}:5432`;
      return `${programDirectory}/psql '${url}' -Atc 'select 6 * 7'`;
    };
    const redis = `${programDirectory}/redis-cli -h ${hosts.cache}`;
    const ssh = `ssh -i key -o BatchMode=yes -o UserKnownHostsFile=known root@${hosts.shell} echo hello`;

    test("psql", async () => {
      const { stdout, output } = await run(psql());
      assert.equal(stdout, "42", output);
    });

    test("redis-cli", async () => {
      const { stdout, output } = await run(`${redis} set key value && ${redis} get key`);
      assert.equal(stdout, "OK\nvalue", output);
    });

    test("ssh, which verifies the server's own key", async () => {
      const { stdout: publicKey, output: made } = await run(
        `ssh-keygen -q -t ed25519 -N '' -f key && cat key.pub`,
      );
      assert.ok(publicKey, made);
      await shell.trust(publicKey);
      await run(`echo '${hosts.shell} ${shell.hostKey}' > known`);
      const { stdout, output } = await run(ssh);
      assert.equal(stdout, "hello", output);
      await run("ssh-keygen -q -t ed25519 -N '' -f other");
      const denied = await run(ssh.replace("-i key", "-i other"));
      assert.match(denied.output, /Permission denied/);
    });

    test("curl, with the secret of HTTPS on that port", async () => {
      const { stdout, output } = await run(
        `curl -sS -o /dev/null -w '%{http_code}' https://${hosts.web}:8443/ -H "x-api-key: $API_KEY"`,
      );
      assert.equal(stdout, "200", output);
      const received = scenario.internet.requestsTo(`${hosts.web}:8443`).at(-1);
      assert.equal(received?.headers["x-api-key"], key);
    });

    const refused: [string, string, number, () => string][] = [
      ["psql", hosts.database, 5432, psql],
      ["redis-cli", hosts.cache, 6379, () => `${redis} ping`],
      ["ssh", hosts.shell, 22, () => ssh.replace("-i key", "")],
      ["curl", hosts.web, 8443, () => `curl -sS https://${hosts.web}:8443/`],
    ];
    for (const [name, host, port, command] of refused) {
      test(`${name} is refused where the list does not open the port, and the audit line has what would`, async () => {
        const { output, exitCode } = await run(command(), strict);
        assert.notEqual(exitCode, 0);
        assert.match(output, /refused|Failed to connect/i);
        const { dataDirectory } = scenario.installation;
        const entries = `tcp://${host}:${port} in the egress allowlist would allow it, or ${host}:${port} for HTTPS`;
        const isMeant = ({ kind, decision, host: named, reason }: AuditLine) =>
          kind === "tcp" &&
          decision === "refused" &&
          named === host &&
          reason?.endsWith(entries) === true;
        await untilAudited(dataDirectory, strict.sandboxId, (lines) => lines.some(isMeant));
      });
    }
  });
});
