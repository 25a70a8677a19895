import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { VaultError } from "../vault/vault.ts";
import { createEgressProxyLink } from "./egress-proxy-link.ts";

type Deps = Parameters<typeof createEgressProxyLink>[0];

function makeLink(putSession: (sandboxId: string) => Promise<boolean>) {
  const put: string[] = [];
  const proxy = { instanceId: randomUUID(), authorities: 0, answers: true };
  const recording = createRecordingLogger();
  const unused = (): never => assert.fail("not part of filling a proxy");
  const deps: Deps = {
    egressProxy: {
      status: async () => {
        if (!proxy.answers) throw new WireError("egress_proxy_unavailable", "away");
        return {
          instanceId: proxy.instanceId,
          hasCertificateAuthority: proxy.authorities > 0,
          sessionCount: 0,
        };
      },
      putCertificateAuthority: unused,
      putSession: unused,
      getPolicy: unused,
      deleteSession: unused,
      close: unused,
    },
    upkeep: {
      listOwned: async () =>
        ["sb-1", "sb-2", "sb-3"].map((id) => ({
          id,
          orgId: "org",
          state: "running",
          sourceAddress: "198.18.0.2",
          machineId: randomUUID(),
          memoryMB: 1024,
          scaling: null,
        })),
      listPendingRevocations: async () => [],
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
  return { link: createEgressProxyLink(deps), proxy, put, lines: recording.lines };
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

  test("a proxy that does not answer makes creates fail, and says so", async () => {
    const { link, proxy } = makeLink(async () => true);
    await link.poll();
    proxy.answers = false;
    await link.poll();
    assert.ok(!link.ready());
    await assert.rejects(link.assertReady(), { code: "egress_proxy_unavailable" });
  });
});
