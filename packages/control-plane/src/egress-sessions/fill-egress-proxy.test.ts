import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { createEgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { VaultError } from "../vault/vault.ts";
import { createFillEgressProxy } from "./fill-egress-proxy.ts";

type Deps = Parameters<typeof createFillEgressProxy>[0] &
  Pick<Parameters<typeof createEgressProxyLink>[0], "egressProxy">;
type Serves = Deps["egressProxy"]["serves"];

function makeLink(
  putSession: (sandboxId: string) => Promise<boolean>,
  serves: Serves = () => true,
) {
  const put: string[] = [];
  const proxy = { instanceId: randomUUID(), authorities: 0, responds: true };
  const recording = createRecordingLogger();
  const unused = (): never => assert.fail("not part of filling a proxy");
  const rows = ["sb-1", "sb-2", "sb-3"].map((id, index) => ({
    ...({ id, orgId: "org", state: "running", machineId: randomUUID() } as const),
    ...{ sourceAddress: `198.18.0.${6 + index * 4}`, memoryMB: 1024 },
    ...{ scaling: null, isHeld: false },
  }));
  let pending: typeof rows = [];
  const deps: Deps = {
    egressProxy: {
      serves,
      client: {
        status: async () => {
          if (!proxy.responds) throw new WireError("egress_proxy_unavailable", "away");
          return {
            instanceId: proxy.instanceId,
            hasCertificateAuthority: proxy.authorities > 0,
            sessionCount: 0,
          };
        },
        readMetrics: unused,
        putCertificateAuthority: unused,
        putSession: unused,
        getPolicy: unused,
        endSession: unused,
        readEgressLog: unused,
        explain: unused,
        close: unused,
      },
    },
    maintenance: {
      listOwned: async () => rows,
      countByState: unused,
      listPendingRevocations: async () => pending,
      whichStopped: unused,
      listBuilders: unused,
      listIdle: unused,
      touch: unused,
      deleteStoppedBefore: unused,
      setSize: unused,
    },
    handOver: {
      putCertificateAuthority: async () => {
        proxy.authorities += 1;
      },
      putSession: async (_orgId, sandboxId) => {
        put.push(sandboxId);
        return putSession(sandboxId);
      },
      removeSession: unused,
    },
    logger: recording.logger,
  };
  const link = createEgressProxyLink({ ...deps, filler: createFillEgressProxy(deps) });
  const revokeEverywhere = () => {
    pending = rows;
  };
  return { link, proxy, put, revokeEverywhere, lines: recording.lines };
}

describe("EgressProxyLink", () => {
  test("fills a new instance once, authority and every session", async () => {
    const { link, proxy, put } = makeLink(async () => true);
    await link.poll();
    await link.poll();
    assert.deepEqual([proxy.authorities, put], [1, ["sb-1", "sb-2", "sb-3"]]);
    proxy.instanceId = randomUUID();
    await link.poll();
    assert.deepEqual([proxy.authorities, put.length], [2, 6]);
  });

  test("fills one of several with its own sessions, and hands over its own revocations", async () => {
    const { link, put, revokeEverywhere } = makeLink(
      async () => true,
      ({ sourceAddress }) => sourceAddress !== "198.18.0.10",
    );
    await link.poll();
    assert.deepEqual(put, ["sb-1", "sb-3"]);
    revokeEverywhere();
    await link.poll();
    assert.deepEqual(put, ["sb-1", "sb-3", "sb-1", "sb-3"]);
  });

  for (const error of [new VaultError("does not open"), new WireError("internal_error", "no")]) {
    test(`a session that fails by ${error.name} does not keep the others waiting`, async () => {
      const { link, put, lines } = makeLink(async (sandboxId) => {
        if (sandboxId === "sb-2") throw error;
        return true;
      });
      await link.poll();
      assert.ok(link.ready());
      assert.deepEqual(put, ["sb-1", "sb-2", "sb-3"]);
      assert.match(lines(), /"sandboxId":"sb-2".*stays without network/);
    });
  }

  test("a proxy lost while it is filled is filled again from the start", async () => {
    let away = true;
    const { link, put } = makeLink(async (sandboxId) => {
      if (away && sandboxId === "sb-2") throw new WireError("egress_proxy_unavailable", "away");
      return true;
    });
    await link.poll();
    assert.ok(!link.ready());
    away = false;
    await link.assertReady();
    assert.deepEqual(put, ["sb-1", "sb-2", "sb-1", "sb-2", "sb-3"]);
  });

  test("a proxy that does not respond makes creates fail with egress_proxy_unavailable", async () => {
    const { link, proxy } = makeLink(async () => true);
    await link.poll();
    proxy.responds = false;
    await link.poll();
    assert.ok(!link.ready());
    await assert.rejects(link.assertReady(), { code: "egress_proxy_unavailable" });
  });
});
