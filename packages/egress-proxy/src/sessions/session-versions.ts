import { WireError } from "@opencomputer/protocol/api";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { LRUCache } from "lru-cache";

/** Sandboxes whose last version is remembered; beyond these the least recent is forgotten. */
const rememberedMax = 65_536;

/** A session that is in effect. */
interface PresentSession {
  readonly sandboxId: string;
  readonly version: number;
}

/** Keeps the sessions of each sandbox, and those of each address, in order. */
export interface SessionVersions {
  /**
   * Records the version of a session that is about to take effect in place of `held`, the
   * sandbox's own, and of `owner`, which has its address. An equal
   * version is a repeated delivery, and is admitted unless the session has ended.
   *
   * @throws {WireError} `stale_session`, and nothing is recorded.
   */
  admit(
    session: EgressSession,
    present: {
      readonly held?: PresentSession | undefined;
      readonly owner?: PresentSession | undefined;
    },
  ): void;
  /** Records up to which version the sessions of a sandbox have ended: only a higher one is admitted after it. */
  ended(session: PresentSession): void;
}

/**
 * Creates the record of session versions. A session that was delayed on its way
 * to the proxy must not bring back a policy or a value that a later one
 * replaced, nor one that has ended, nor take an address back that another sandbox
 * was given since. The version of a session in effect always
 * counts; of ended sessions the latest are remembered.
 */
export function createSessionVersions(options: { rememberedMax?: number } = {}): SessionVersions {
  /** The lowest version that is admitted, by sandbox. */
  const lowest = new LRUCache<string, number>({ max: options.rememberedMax ?? rememberedMax });

  const ended = ({ sandboxId, version }: PresentSession): void => {
    lowest.set(sandboxId, Math.max(version + 1, lowest.get(sandboxId) ?? 0));
  };

  return {
    admit({ sandboxId, version, sourceAddress }, { held, owner }) {
      const versionMin = Math.max(held?.version ?? 0, lowest.get(sandboxId) ?? 0);
      if (version < versionMin) {
        throw new WireError(
          "stale_session",
          `Version ${version} of the session of ${sandboxId} is stale, expected ${versionMin} or higher: a later session was put in force or has ended. Hand over the current session with a higher version.`,
          { details: { version, versionMin } },
        );
      }
      const other = owner?.sandboxId === sandboxId ? undefined : owner;
      if (other !== undefined && version < other.version) {
        throw new WireError(
          "stale_session",
          `Version ${version} of the session of ${sandboxId} is stale: ${sourceAddress} was given to ${other.sandboxId} with version ${other.version}. Hand over the current session with a higher version.`,
          { details: { version, versionMin: other.version + 1 } },
        );
      }
      if (other !== undefined) ended(other);
      lowest.set(sandboxId, version);
    },
    ended,
  };
}
