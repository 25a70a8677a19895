import { WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { shareRunning } from "../concurrency/repeating-task.ts";
import type { SandboxPlace } from "./egress-proxies.ts";
import type { EgressProxyClient } from "./egress-proxy-client.ts";

/** An egress proxy, and which sandboxes it serves. */
export interface ServingProxy {
  readonly client: EgressProxyClient;
  serves(sandbox: SandboxPlace): boolean;
}

/** What an egress proxy is given so that it serves each of its sandboxes as the database has it. */
export interface FillEgressProxy {
  /** Gives a new process the CA and each of its live sessions; returns how many sessions. */
  fill(egressProxy: ServingProxy): Promise<number>;
  /** Hands over those revocations that it has not acknowledged yet. */
  enforceRevocations(egressProxy: ServingProxy): Promise<void>;
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
  egressProxy: ServingProxy;
  filler: FillEgressProxy;
  logger: Logger;
}): EgressProxyLink {
  const { egressProxy, filler, logger } = deps;
  let isReady = false;
  let filled: string | undefined;

  async function pollOnce(): Promise<void> {
    try {
      const { instanceId, hasCertificateAuthority } = await egressProxy.client.status();
      if (instanceId !== filled || !hasCertificateAuthority) {
        const sessions = await filler.fill(egressProxy);
        filled = instanceId;
        logger.info({ instanceId, sessions }, "egress proxy filled");
      }
      isReady = true;
      await filler.enforceRevocations(egressProxy);
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
        "The egress proxy is not running, so a sandbox would have no network; it is being restarted: try again soon",
      );
    },
  };
}
