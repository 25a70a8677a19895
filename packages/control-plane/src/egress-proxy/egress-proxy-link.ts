import { WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { shareRunning } from "../concurrency/repeating-task.ts";
import type { EgressProxyClient } from "./egress-proxy-client.ts";

/** What an egress proxy is given so that it serves every sandbox as the database has it. */
export interface FillEgressProxy {
  /** Gives a new process the CA and every live session; returns how many sessions. */
  fill(egressProxy: EgressProxyClient): Promise<number>;
  /** Hands over revocations that were not acknowledged yet. */
  enforceRevocations(): Promise<void>;
}

/** The state of an egress proxy, and what a new process of it is given before it counts as ready. */
export interface EgressProxyLink {
  /** Asks the proxy, and gives it what it lacks. Never rejects. */
  poll(): Promise<void>;
  ready(): boolean;
  /** @throws {WireError} `egress_proxy_unavailable` */
  assertReady(): Promise<void>;
}

export function createEgressProxyLink(deps: {
  egressProxy: EgressProxyClient;
  filler: FillEgressProxy;
  logger: Logger;
}): EgressProxyLink {
  const { egressProxy, filler, logger } = deps;
  let isReady = false;
  let filled: string | undefined;

  async function pollOnce(): Promise<void> {
    try {
      const { instanceId, hasCertificateAuthority } = await egressProxy.status();
      if (instanceId !== filled || !hasCertificateAuthority) {
        const sessions = await filler.fill(egressProxy);
        filled = instanceId;
        logger.info({ instanceId, sessions }, "egress proxy filled");
      }
      isReady = true;
      await filler.enforceRevocations();
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
