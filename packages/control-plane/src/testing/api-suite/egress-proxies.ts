import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { egressProxyOf } from "@opencomputer/protocol/wire";
import { createFakeEgressProxy, type FakeEgressProxy } from "../fake-egress-proxy.ts";
import { freePort } from "../free-port.ts";
import { eventually } from "../test-installation.ts";
import { visitPreview } from "../visit-preview.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeEgressProxies(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("several egress proxies", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    let proxies: [FakeEgressProxy, FakeEgressProxy];
    let store: string;
    let metricsPort: number;
    /** The addresses of the fake worker's slots are in turns those of one and the other. */
    let ids: string[];

    before(async () => {
      const directory = dirname(installation().dataDirectory);
      const socket = (name: string) => join(directory, `${name}.sock`);
      proxies = [installation().egressProxy, createFakeEgressProxy(socket("egress-proxy-2"))];
      await proxies[1].start();
      store = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json.id;
      await setSecret("v1");
      ids = [await create(), await create(), await create(), await create()];
      assert.equal(proxies[0].sessions.size, 4);
      metricsPort = await freePort();
      await installation().restart({
        ...{ egressProxySockets: [socket("egress-proxy"), socket("egress-proxy-2")], metricsPort },
      });
      await eventually(() => proxies[1].sessions.size === 2, "the second proxy has its sessions");
    });
    after(() => proxies[1].stop());

    const setSecret = (value: string) =>
      call("PUT", `/api/secret-stores/${store}/secrets/KEY`, { body: { value } });
    const create = async (): Promise<string> =>
      (await call("POST", "/api/sandboxes", { body: { secretStore: "s" } })).json.sandboxID;
    const health = async () => (await call("GET", "/health")).json;
    /** The proxy that has the session of a sandbox; fails unless exactly the one of its address has it. */
    const proxyOf = (id: string): FakeEgressProxy => {
      const [owner, ...others] = proxies.filter(({ sessions }) => sessions.has(id));
      assert.ok(owner !== undefined && others.length === 0, id);
      const address = owner.sessions.get(id)?.sourceAddress ?? "";
      assert.equal(proxies[egressProxyOf(address, 2)], owner, address);
      return owner;
    };
    const secretOf = (id: string) => proxyOf(id).sessions.get(id)?.secrets[0]?.value;

    test("sandboxes that were on one proxy are shared after a start with two", () => {
      assert.equal(new Set(ids.map(proxyOf)).size, 2);
      assert.deepEqual(
        proxies.map(({ sessions }) => sessions.size),
        [2, 2],
      );
    });

    test("a rotation reaches each sandbox at its proxy", async () => {
      assert.equal((await setSecret("v2")).status, 200);
      assert.deepEqual(ids.map(secretOf), ["v2", "v2", "v2", "v2"]);
    });

    test("a sandbox that wakes in another slot has one session, also after a restore", async () => {
      const [id = ""] = ids;
      const owners = new Set<FakeEgressProxy>();
      for (let wake = 0; wake < 2; wake += 1) {
        assert.equal((await call("POST", `/api/sandboxes/${id}/hibernate`)).status, 200);
        assert.ok(proxies.every(({ sessions }) => !sessions.has(id)));
        await call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "true" } });
        owners.add(proxyOf(id));
        await create();
        await create();
      }
      const body = { name: "saved" };
      const saved = await call("POST", `/api/sandboxes/${id}/checkpoints`, { body });
      assert.equal(saved.status, 201);
      for (let restore = 0; restore < 2; restore += 1) {
        const path = `/api/sandboxes/${id}/checkpoints/${saved.json.id}/restore`;
        await eventually(async () => (await call("POST", path)).status === 200, "it restores");
        await call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "true" } });
        owners.add(proxyOf(id));
      }
      assert.equal(owners.size, 2, "it was at both");
    });

    test("what is read of a sandbox comes from its proxy, and the egress log from both", async () => {
      for (const id of ids) {
        assert.equal((await call("GET", `/api/sandboxes/${id}/allowed-hosts`)).status, 200);
        proxyOf(id).log(id, { path: `/of-${id}` });
      }
      await eventually(
        () => proxies.every((proxy) => proxy.unacknowledged() === 0),
        "the log is stored",
      );
      for (const id of ids) {
        const { entries } = (await call("GET", `/api/sandboxes/${id}/egress`)).json;
        assert.equal(entries.at(-1)?.path, `/of-${id}`);
      }
      for (const path of ["/metrics/egress-proxy", "/metrics/egress-proxy-2"]) {
        const { status } = await visitPreview(
          `http://127.0.0.1:${metricsPort}`,
          `127.0.0.1:${metricsPort}`,
          { path },
        );
        assert.equal(status, 200, path);
      }
    });

    test("one that has ended leaves the sandboxes of the other alone, and is filled with its own", async () => {
      const [first, second] = proxies;
      const ofFirst = ids.filter((id) => proxyOf(id) === first);
      const ofSecond = ids.filter((id) => proxyOf(id) === second);
      const held = second.sessions.size;
      await second.stop();
      second.sessions.clear();
      await eventually(async () => !(await health()).ready, "it is not ready");
      assert.equal((await call("POST", "/api/sandboxes")).status, 503);
      assert.equal((await setSecret("v3")).status, 200, "an absent proxy sends nothing");
      assert.deepEqual(
        ofFirst.map(secretOf),
        ofFirst.map(() => "v3"),
      );
      const [id = ""] = ofFirst;
      assert.equal((await call("GET", `/api/sandboxes/${id}/allowed-hosts`)).status, 200);
      await second.restart();
      await eventually(() => second.sessions.size === held, "it is filled");
      assert.deepEqual(
        ofSecond.map(secretOf),
        ofSecond.map(() => "v3"),
      );
      await eventually(async () => (await health()).ready, "it is ready");
      assert.equal((await call("DELETE", `/api/sandboxes/${ofSecond[0]}`)).status, 204);
      assert.ok(!second.sessions.has(ofSecond[0] ?? ""));
    });
  });
}
