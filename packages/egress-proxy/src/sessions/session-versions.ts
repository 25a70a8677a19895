import { type EgressSession, WireError } from "@opencomputer/protocol";
import { LRUCache } from "lru-cache";

/** Sandboxes whose last version is remembered; the one given longest ago is forgotten. */
const rememberedMax = 65_536;

export interface SessionVersions {
  /**
   * Takes note of a session that is about to be put in force. An equal version
   * is a hand-over that is repeated, and passes.
   *
   * @throws {WireError} `stale_session`, and nothing is noted.
   */
  admit(session: EgressSession, held: { readonly version: number } | undefined): void;
  /** Keeps the version of a session that ends, so that no older one follows it. */
  ended(session: { readonly sandboxId: string; readonly version: number }): void;
}

/**
 * The order of a sandbox's sessions. A hand-over that was delayed on its way
 * must not bring back a policy or a value that a later one replaced, nor one
 * that has ended. A session in force counts however long ago it was given;
 * of ended ones the latest are remembered.
 */
export function createSessionVersions(options: { rememberedMax?: number } = {}): SessionVersions {
  const versions = new LRUCache<string, number>({ max: options.rememberedMax ?? rememberedMax });

  return {
    admit({ sandboxId, version }, held) {
      const last = Math.max(held?.version ?? 0, versions.get(sandboxId) ?? 0);
      if (version < last) {
        throw new WireError(
          "stale_session",
          `Version ${version} of the session of ${sandboxId} is stale: version ${last} was given before. Hand over the current session with a higher version.`,
          { details: { version, lastVersion: last } },
        );
      }
      versions.set(sandboxId, version);
    },
    ended({ sandboxId, version }) {
      versions.set(sandboxId, Math.max(version, versions.get(sandboxId) ?? 0));
    },
  };
}
