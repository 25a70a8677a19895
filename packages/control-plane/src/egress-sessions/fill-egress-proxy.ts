import { WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import type { FillEgressProxy } from "../egress-proxy/egress-proxy-link.ts";
import type { SandboxMaintenanceRepository } from "../sandboxes/rows/sandbox-maintenance-repository.ts";
import { liveStates } from "../sandboxes/rows/sandbox-states.ts";
import { type ProxyHandOver, SessionWithheldError } from "./proxy-hand-over.ts";

/**
 * Fills egress proxies from the database. A session that cannot be decrypted
 * or is refused does not keep the others waiting.
 */
export function createFillEgressProxy(deps: {
  maintenance: SandboxMaintenanceRepository;
  handOver: ProxyHandOver;
  logger: Logger;
}): FillEgressProxy {
  const { maintenance, handOver, logger } = deps;

  return {
    async fill(egressProxy) {
      await handOver.putCertificateAuthority(egressProxy.client);
      const live = (await maintenance.listOwned(liveStates)).filter(egressProxy.serves);
      for (const { orgId, id } of live) {
        try {
          await handOver.putSession(orgId, id);
        } catch (error) {
          if (error instanceof WireError && error.code === "egress_proxy_unavailable") throw error;
          logger.error({ sandboxId: id, err: error }, "a sandbox stays without network");
        }
      }
      return live.length;
    },

    async enforceRevocations(egressProxy) {
      const pending = await maintenance.listPendingRevocations();
      for (const { orgId, id } of pending.filter(egressProxy.serves)) {
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
    },
  };
}
