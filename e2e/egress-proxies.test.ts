import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { after, before, describe, test } from "node:test";
import {
  copyTemplate,
  type Internet,
  listHostResources,
  type RunningInstallation,
  removeDataDirectory,
  startInstallation,
  startInternet,
  untilGone,
} from "@opencomputer/harness";
import { processStateSchema } from "@opencomputer/protocol/api";
import { egressProxyName } from "@opencomputer/protocol/wire";
import { Sandbox, SecretStore } from "@opencomputer/sdk";
import { z } from "zod";

const host = "api.example.test";
const key = "canary-two-proxies-6d20f4b81c97ea35";
const pollMilliseconds = 100;
const healMilliseconds = 60_000;
const healthSchema = z.object({ processes: z.array(processStateSchema) });

describe("egress proxies that share the sandboxes of a host (full run)", () => {
  let internet: Internet;
  let dataDirectory: string;
  let installation: RunningInstallation;
  let ids: string[];

  const start = (egressProxyCount: number) =>
    startInstallation({
      dataDirectory,
      environment: {
        OPENCOMPUTER_EGRESS_PROXY_PROCESSES: String(egressProxyCount),
        OPENCOMPUTER_EGRESS_HOSTS: internet.egressHosts,
        OPENCOMPUTER_EGRESS_CA_FILE: internet.caFile,
        OPENCOMPUTER_WARM_POOL_SIZE: "0",
      },
    });
  const connection = () => ({ apiUrl: installation.apiUrl, apiKey: installation.apiKey });
  const connect = (id: string) => Sandbox.connect(id, connection());
  const restart = async (egressProxyCount: number) => {
    await installation.stop();
    installation = await start(egressProxyCount);
  };

  before(async () => {
    internet = await startInternet({ hosts: [host] });
    dataDirectory = await copyTemplate();
    installation = await start(1);
    const store = await SecretStore.create({
      ...{ ...connection(), name: "s", egressAllowlist: [host] },
    });
    await SecretStore.setSecret(store.id, "KEY", key, connection());
    const create = () => Sandbox.create({ ...connection(), secretStore: "s", timeout: 0 });
    ids = [(await create()).sandboxId, (await create()).sandboxId];
  });
  after(async () => {
    for (const id of ids) await (await connect(id)).kill();
    await installation.stop();
    await internet.close();
    const remaining = await listHostResources(installation);
    await removeDataDirectory(dataDirectory);
    assert.deepEqual(remaining, []);
  });

  /** The requests of a sandbox so far. */
  const requestsOf = (id: string) =>
    internet.requests.filter(({ url }) => url.startsWith(`/${id}?`));
  /** Has a sandbox use its secret, by the name of a host and so by its resolver; some times, four in a second. */
  const useSecret = async (id: string, times = 1) => {
    const before = requestsOf(id).length;
    const { stdout } = await (await connect(id)).exec.run(
      `curl -sS -m 120 --rate 4/s -o /dev/null -w '%{http_code} ' "https://${host}/${id}?n=[1-${times}]" -H "x-api-key: $KEY"`,
      { timeout: 240 },
    );
    const keys = requestsOf(id).map(({ headers }) => headers["x-api-key"]);
    return { codes: stdout.trim(), keys: keys.slice(before) };
  };
  const assertWorks = async (id: string) =>
    assert.deepEqual(await useSecret(id), { codes: "200", keys: [key] });
  /** The indexes of the proxies that hold the session of a sandbox. */
  const holdersOf = async (id: string, egressProxyCount: number) => {
    const holders: number[] = [];
    for (let index = 0; index < egressProxyCount; index += 1) {
      const directory = `/run/opencomputer-${installation.id}/${egressProxyName(index)}`;
      const socketPath = `${directory}/egress-proxy.sock`;
      const [response]: IncomingMessage[] = await once(
        get({ socketPath, path: `/v1/sessions/${id}` }),
        "response",
      );
      response?.resume();
      if (response?.statusCode === 200) holders.push(index);
    }
    return holders;
  };
  /** Of the proxy with an index. */
  const processIdOf = async (index: number) => {
    for (const pid of await installation.pidsOf("egress-proxy")) {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8");
      if (environment.includes(`OPENCOMPUTER_EGRESS_PROXY_INDEX=${index}\0`)) return pid;
    }
    throw new Error(`No egress proxy ${index} runs`);
  };

  test("a start with two gives each of two sandboxes that live on another one", async () => {
    await restart(2);
    for (const id of ids) await assertWorks(id);
    const holders = await Promise.all(ids.map((id) => holdersOf(id, 2)));
    assert.deepEqual(holders.flat().sort(), [0, 1]);
    assert.ok(holders.every(({ length }) => length === 1));
  });

  test("one that is killed leaves the other's sandbox alone, and serves its own again", async () => {
    const first = (await holdersOf(ids[0] ?? "", 2))[0] === 0;
    const [atFirst = "", atSecond = ""] = first ? ids : [...ids].reverse();
    const pid = await processIdOf(1);
    const requests = 20;
    const before = requestsOf(atFirst).length;
    const beside = useSecret(atFirst, requests);
    while (requestsOf(atFirst).length === before) await pause();
    process.kill(pid, "SIGKILL");
    const { codes, keys } = await beside;
    assert.equal(codes, Array(requests).fill("200").join(" "));
    assert.deepEqual(keys, Array(requests).fill(key));
    await untilGone(pid);
    // Until the control plane asks next, it takes the former process for ready.
    const deadline = Date.now() + healMilliseconds;
    while ((await useSecret(atSecond)).codes !== "200") {
      assert.ok(Date.now() < deadline, "the sandbox of the killed proxy has no network");
    }
    await assertWorks(atSecond);
    assert.deepEqual(await holdersOf(atSecond, 2), [1]);

    const health = await fetch(`${installation.apiUrl}/api/health`);
    const { processes } = healthSchema.parse(await health.json());
    const restarts = [egressProxyName(0), egressProxyName(1)].map(
      (name) => processes.find((one) => one.name === name)?.restarts,
    );
    assert.deepEqual(restarts, [0, 1]);
  });

  test("sandboxes that live on, and those that are hibernated, work after a start with one", async () => {
    const [running = "", hibernated = ""] = ids;
    await (await connect(hibernated)).hibernate();
    assert.deepEqual(await holdersOf(hibernated, 2), []);
    await restart(1);
    for (const id of [running, hibernated]) {
      await assertWorks(id);
      assert.deepEqual(await holdersOf(id, 1), [0]);
    }
  });
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
}
