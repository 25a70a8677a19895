import type { Logger } from "pino";
import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import { PeerAbsentError } from "../unix-socket-client.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import { assertNoPublicSuffix } from "./assert-no-public-suffix.ts";
import type { SecretRepository } from "./secret-repository.ts";

export type SetSecret = (
  orgId: string,
  storeId: string,
  secret: { name: string; value: SecretValue; allowedHosts: string[] | undefined },
) => Promise<void>;

/**
 * Sets a secret and resolves when the proxy enforces it for every running
 * sandbox that has it. A proxy that does not run uses nothing meanwhile and
 * is filled with the new value when it starts.
 */
export function createSetSecret(deps: {
  secrets: SecretRepository;
  handOver: ProxyHandOver;
  logger: Logger;
}): SetSecret {
  const { secrets, handOver, logger } = deps;

  async function handOverTo(orgId: string, sandboxId: string): Promise<void> {
    try {
      await handOver.putSession(orgId, sandboxId);
    } catch (error) {
      if (!(error instanceof PeerAbsentError)) throw error;
      logger.warn({ sandboxId }, "the proxy is away; it gets the new secret when it starts");
    }
  }

  return async (orgId, storeId, secret) => {
    assertNoPublicSuffix(secret.allowedHosts ?? []);
    const sandboxIds = await secrets.set(orgId, storeId, secret);
    const outcomes = await Promise.allSettled(sandboxIds.map((id) => handOverTo(orgId, id)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  };
}
