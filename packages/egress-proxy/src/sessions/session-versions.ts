import { WireError } from "@opencomputer/protocol/api";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { LRUCache } from "lru-cache";

/** Sandboxes whose last version is remembered; beyond these the least recent is forgotten. */
const rememberedMax = 65_536;

/** Keeps the sessions of each sandbox in order. */
export interface SessionVersions {
  /**
   * Records the version of a session that is about to take effect. An equal
   * version is a repeated delivery, and is admitted unless the session has ended.
   *
   * @throws {WireError} `stale_session`, and nothing is recorded.
   */
  admit(session: EgressSession, held: { readonly version: number } | undefined): void;
  /** Records the version of a session that ends, so that only a higher one is admitted after it. */
  ended(session: { readonly sandboxId: string; readonly version: number }): void;
}

/**
 * Creates the record of session versions. A session that was delayed on its way
 * to the proxy must not bring back a policy or a value that a later one
 * replaced, nor one that has ended. The version of a session in effect always
 * counts; of ended sessions the latest are remembered.
 */
export function createSessionVersions(options: { rememberedMax?: number } = {}): SessionVersions {
  /** The lowest version that is admitted, by sandbox. */
  const lowest = new LRUCache<string, number>({ max: options.rememberedMax ?? rememberedMax });

  return {
    admit({ sandboxId, version }, held) {
      const versionMin = Math.max(held?.version ?? 0, lowest.get(sandboxId) ?? 0);
      if (version < versionMin) {
        throw new WireError(
          "stale_session",
          `Version ${version} of the session of ${sandboxId} is stale, expected ${versionMin} or higher: a later session was put in force or has ended. Hand over the current session with a higher version.`,
          { details: { version, versionMin } },
        );
      }
      lowest.set(sandboxId, version);
    },
    ended({ sandboxId, version }) {
      lowest.set(sandboxId, Math.max(version + 1, lowest.get(sandboxId) ?? 0));
    },
  };
}
