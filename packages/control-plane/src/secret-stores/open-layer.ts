import type { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";
import type { SecretLayer } from "./layer-secrets.ts";
import type { StoredSecret } from "./load-layer.ts";

/** A secret on its way into a sandbox. */
export interface OpenSecret {
  name: string;
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

export const emptyLayer: SecretLayer<OpenSecret> = { egressAllowlist: [], secrets: [] };

/** The layer of a store, with its values decrypted and its placements resolved. */
export function openLayer(
  { vault, operatorPlacements }: { vault: Vault; operatorPlacements: readonly string[] },
  orgId: string,
  layer: SecretLayer<StoredSecret>,
): SecretLayer<OpenSecret> {
  return {
    egressAllowlist: layer.egressAllowlist,
    secrets: layer.secrets.map((secret) => {
      const { storeId, name, allowedHosts } = secret;
      const value = vault.open(secret, { kind: "store-secret", orgId, storeId, name });
      const substituteIn = secret.substituteIn ?? [...operatorPlacements];
      const source = { sourceStoreId: storeId, token: null, revokedAt: null };
      return { name, value, allowedHosts, substituteIn, ...source };
    }),
  };
}
