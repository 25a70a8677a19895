import type { SecretKind } from "@opencomputer/protocol/api";
import type { SecretValue } from "../vault/secret-value.ts";

/** The secrets and the egress allowlist of a store or a checkpoint, as one layer of a sandbox's policy. */
export interface SecretLayer<Secret extends { name: string }> {
  egressAllowlist: readonly string[];
  secrets: readonly Secret[];
}

/** A secret on its way into a sandbox. */
export interface OpenSecret {
  name: string;
  kind: SecretKind;
  value: SecretValue;
  allowedHosts: string[];
  /** Resolved: a sandbox does not look its placements up again. */
  substituteIn: string[];
  /** The store that rotates it. */
  sourceStoreId: string;
  /** The token that a parent's memory has for it; null for one that is new. */
  token: string | null;
  /** When the parent's copy was revoked; null for one that may be used. */
  revokedAt: Date | null;
}

/** A layer on its way into a sandbox. */
export interface OpenLayer extends SecretLayer<OpenSecret> {
  /** The store that it was read from; null for that of a checkpoint, and for an empty one. */
  storeId: string | null;
}

/** Names where a layer is read from. `store` is one that a user names, `project` the store of a project. */
export type LayerSource =
  | { kind: "none" }
  | { kind: "store"; name: string }
  | { kind: "project"; storeId: string }
  | { kind: "checkpoint"; checkpointId: string };

export const emptyLayer: OpenLayer = { storeId: null, egressAllowlist: [], secrets: [] };

/**
 * Lays `top` over `base`. Where both have a secret of one name, all of it is
 * that of `top`: its value, its host limits and its placements. The allowlists
 * are joined; an empty one adds nothing, so only two empty ones allow all hosts.
 */
export function layerSecrets<Secret extends { name: string }>(
  base: SecretLayer<Secret>,
  top: SecretLayer<Secret>,
): { egressAllowlist: string[]; secrets: Secret[] } {
  const byName = new Map<string, Secret>();
  for (const secret of [...base.secrets, ...top.secrets]) byName.set(secret.name, secret);
  return {
    egressAllowlist: [...new Set([...base.egressAllowlist, ...top.egressAllowlist])],
    secrets: [...byName.values()],
  };
}
