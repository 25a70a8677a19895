/** A store, or the merged result of stores, as one layer of a sandbox's policy. */
export interface SecretLayer<Secret extends { name: string }> {
  egressAllowlist: readonly string[];
  secrets: readonly Secret[];
}

/**
 * Lays `top` over `base`. Where both have a secret of one name, the one of
 * `top` wins wholly: its value, its host limits and its placements. The
 * allowlists are joined; an empty one adds nothing, so only two empty ones
 * allow all hosts.
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
