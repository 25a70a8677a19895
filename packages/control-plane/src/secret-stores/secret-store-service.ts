import {
  type RevokeSecretResponse,
  type SecretStoreRecord,
  type SetSecretResponse,
  WireError,
} from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { type ProxyHandOver, SessionWithheldError } from "../egress-sessions/proxy-hand-over.ts";
import type { Caller } from "../orgs/api-key-repository.ts";
import { PeerAbsentError } from "../peers/unix-socket-client.ts";
import { assertNoPublicSuffix } from "./assert-no-public-suffix.ts";
import type { NewSecret, SecretRepository } from "./secret-repository.ts";
import type { SecretStoreChanges, SecretStoreRepository } from "./secret-store-repository.ts";

/**
 * Stores and their secrets. A change that reaches sandboxes resolves when the proxy
 * enforces it for every running sandbox that has the secret. A proxy that does
 * not run uses nothing meanwhile, and gets what changed when it starts.
 */
export function createSecretStoreService(deps: {
  stores: SecretStoreRepository;
  secrets: SecretRepository;
  handOver: ProxyHandOver;
  logger: Logger;
}) {
  const { stores, secrets, handOver, logger } = deps;

  async function handOverTo(orgId: string, sandboxId: string): Promise<void> {
    try {
      await handOver.putSession(orgId, sandboxId);
    } catch (error) {
      if (!(error instanceof PeerAbsentError)) throw error;
      logger.warn(
        { sandboxId },
        "the egress proxy does not run; it gets the change when it starts",
      );
    }
  }

  /** Rejects when the proxy may still use what is revoked. */
  async function enforceFor(orgId: string, sandboxId: string): Promise<void> {
    try {
      await handOverTo(orgId, sandboxId);
    } catch (error) {
      if (!(error instanceof SessionWithheldError)) throw error;
      logger.error(
        { sandboxId, err: error },
        "a sandbox has no network until its secrets are set again",
      );
    }
  }

  async function handOverToAll(orgId: string, sandboxIds: readonly string[]): Promise<void> {
    const outcomes = await Promise.allSettled(sandboxIds.map((id) => handOverTo(orgId, id)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  return {
    create: stores.create,
    list: stores.list,
    get: stores.get,
    delete: stores.delete,
    idToRevokeIn: stores.idToRevokeIn,
    listSecrets: secrets.list,
    deleteSecret: secrets.delete,

    /** Sets a secret of a store that the caller has found by its org. */
    async setSecret(orgId: string, storeId: string, secret: NewSecret): Promise<SetSecretResponse> {
      assertNoPublicSuffix(secret.allowedHosts ?? []);
      await handOverToAll(orgId, await secrets.set(orgId, storeId, secret));
      const { name, kind, value } = secret;
      // What a host receives of AWS credentials is made by AWS, and the secret key is not among it.
      const isGuessable = kind === "value" && value.isGuessable;
      return { name, status: "set", ...(isGuessable ? { warning: warningFor(name) } : {}) };
    },

    /**
     * Revokes the value of a secret in everything that runs, is hibernated or
     * saved. What the proxy does not acknowledge is stored and handed over
     * again until it does.
     *
     * @throws {WireError} `not_found`, `enforcement_pending`
     */
    async revokeSecret(
      { orgId, apiKeyId }: Caller,
      storeId: string,
      name: string,
    ): Promise<RevokeSecretResponse> {
      const { idsWithSession, ...revoked } = await secrets.revoke(orgId, storeId, name);
      const outcomes = await Promise.allSettled(idsWithSession.map((id) => enforceFor(orgId, id)));
      const pending = outcomes.filter(({ status }) => status === "rejected");
      logger.info(
        { orgId, apiKeyId, storeId, secretName: name, ...revoked, pending: pending.length },
        "a secret was revoked",
      );
      const [failed] = pending;
      if (failed?.status === "rejected") {
        throw new WireError(
          "enforcement_pending",
          `Secret ${name} is revoked, but the egress proxy has not acknowledged it for ${pending.length} of ${idsWithSession.length} running sandboxes, which may still use the value. It is handed over again every second: call again until it succeeds`,
          {
            cause: failed.reason,
            details: { pendingSandboxes: pending.length, retryAfterSeconds: 1 },
          },
        );
      }
      return { name, status: "revoked" };
    },

    /** @throws {WireError} `not_found`, `name_in_use` */
    async update(
      orgId: string,
      storeId: string,
      changes: SecretStoreChanges,
    ): Promise<SecretStoreRecord> {
      const { store, sandboxIds } = await stores.update(orgId, storeId, changes);
      await handOverToAll(orgId, sandboxIds);
      return store;
    },
  };
}
export type SecretStoreService = ReturnType<typeof createSecretStoreService>;

function warningFor(name: string): string {
  return (
    `The value of ${name} can be guessed: it is too short, or made of words, dates or repetition. ` +
    "It is not searched for in responses, so a host that echoes it reveals it to the sandbox. " +
    "Allow it only for exact hosts (allowedHosts, --allowed-hosts) and only in headers (substituteIn, --in header)."
  );
}
