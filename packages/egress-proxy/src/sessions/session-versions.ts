import { type EgressSession, WireError } from "@opencomputer/protocol";
import { LRUCache } from "lru-cache";

/** Sandboxes whose last version is remembered; the one given longest ago is forgotten. */
const rememberedMax = 65_536;

export interface SessionVersions {
  /**
   * Takes note of a session that is about to be put in force. An equal version
   * is a hand-over that is repeated, and passes unless the session has ended.
   *
   * @throws {WireError} `stale_session`, and nothing is noted.
   */
  admit(session: EgressSession, held: { readonly version: number } | undefined): void;
  /** Keeps the version of a session that ends, so that only a higher one follows it. */
  ended(session: { readonly sandboxId: string; readonly version: number }): void;
}

/**
 * The order of a sandbox's sessions. A hand-over that was delayed on its way
 * must not bring back a policy or a value that a later one replaced, nor one
 * that has ended. A session in force counts however long ago it was given;
 * of ended ones the latest are remembered.
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
