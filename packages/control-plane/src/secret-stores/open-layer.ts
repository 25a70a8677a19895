import type { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";
import type { SecretLayer } from "./layer-secrets.ts";
import type { StoredSecret } from "./load-layer.ts";

/** A secret on its way into a sandbox. */
export interface OpenSecret {
  name: string;
  value: SecretValue;
  allowedHosts: string[];
  /** The store that rotates it. */
  sourceStoreId: string;
  /** The token that a parent's memory has for it; null for one that is new. */
  token: string | null;
}

export const emptyLayer: SecretLayer<OpenSecret> = { egressAllowlist: [], secrets: [] };

/** The layer of a store, with the values that its rows hold sealed. */
export function openLayer(
  vault: Vault,
  orgId: string,
  layer: SecretLayer<StoredSecret>,
): SecretLayer<OpenSecret> {
  return {
    egressAllowlist: layer.egressAllowlist,
    secrets: layer.secrets.map((secret) => {
      const { storeId, name, allowedHosts } = secret;
      const value = vault.open(secret, { kind: "store-secret", orgId, storeId, name });
      return { name, value, allowedHosts, sourceStoreId: storeId, token: null };
    }),
  };
}
