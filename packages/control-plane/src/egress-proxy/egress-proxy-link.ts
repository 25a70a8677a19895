import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { SandboxUpkeepRepository } from "../sandboxes/sandbox-repository.ts";
import { liveStates } from "../sandboxes/sandbox-states.ts";
import { shareRunning } from "../share-running.ts";
import type { EgressProxyClient } from "./egress-proxy-client.ts";
import { type ProxyHandOver, SessionWithheldError } from "./proxy-hand-over.ts";

/** What the control plane knows of the proxy, and what it does when the proxy is new. */
export interface EgressProxyLink {
  /**
   * Asks the proxy. A new instance is given the CA and every live session, and
   * any instance what it has to enforce and has not acknowledged. Never rejects.
   */
  poll(): Promise<void>;
  ready(): boolean;
  /** @throws {WireError} `egress_proxy_unavailable` */
  assertReady(): Promise<void>;
}

export function createEgressProxyLink(deps: {
  egressProxy: EgressProxyClient;
  upkeep: SandboxUpkeepRepository;
  handOver: ProxyHandOver;
  logger: Logger;
}): EgressProxyLink {
  const { egressProxy, upkeep, handOver, logger } = deps;
  let isReady = false;
  let filled: string | undefined;

  /** One session that cannot be opened or is refused does not keep the others waiting. */
  async function fill(): Promise<number> {
    await handOver.putCertificateAuthority();
    const live = await upkeep.listOwned(liveStates);
    for (const { orgId, id } of live) {
      try {
        await handOver.putSession(orgId, id);
      } catch (error) {
        if (error instanceof WireError && error.code === "egress_proxy_unavailable") throw error;
        logger.error({ sandboxId: id, err: error }, "a sandbox stays without network");
      }
    }
    return live.length;
  }

  async function enforceRevocations(): Promise<void> {
    for (const { orgId, id } of await upkeep.listPendingRevocations()) {
      try {
        await handOver.putSession(orgId, id);
        logger.info({ sandboxId: id }, "a revocation that was pending is enforced");
      } catch (error) {
        if (error instanceof SessionWithheldError) {
          logger.error({ sandboxId: id, err: error }, "a sandbox stays without network");
          continue;
        }
        logger.error(
          { sandboxId: id, err: error },
          "a sandbox may still use a revoked value; its session is handed over again in a second",
        );
      }
    }
  }

  async function pollOnce(): Promise<void> {
    try {
      const { instanceId, hasCertificateAuthority } = await egressProxy.status();
      if (instanceId !== filled || !hasCertificateAuthority) {
        const sessions = await fill();
        filled = instanceId;
        logger.info({ instanceId, sessions }, "egress proxy filled");
      }
      isReady = true;
      await enforceRevocations();
    } catch (error) {
      if (isReady) logger.warn({ err: error }, "egress proxy lost");
      isReady = false;
    }
  }

  const poll = shareRunning(pollOnce);

  return {
    poll,
    ready: () => isReady,
    async assertReady() {
      if (!isReady) await poll();
      if (isReady) return;
      throw new WireError(
        "egress_proxy_unavailable",
        "The egress proxy is not running, so a sandbox would have no network; it is started again soon",
      );
    },
  };
}
