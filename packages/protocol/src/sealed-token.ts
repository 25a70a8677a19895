/**
 * A sealed token: what a sandbox holds in the place of a secret value.
 *
 * `osb_sealed_` and 32 lowercase hexadecimal digits, 43 octets of ASCII. The
 * only definition of the format; minting and substitution both start here.
 */
export const sealedToken = {
  prefix: "osb_sealed_",
  hexDigits: 32,
  /** Octets of a whole token. */
  length: "osb_sealed_".length + 32,
  pattern: /^osb_sealed_[0-9a-f]{32}$/,
} as const;

/** The token that carries these 16 random octets. */
export function sealedTokenFrom(randomOctets: Uint8Array): string {
  if (randomOctets.length !== 16) {
    throw new RangeError(`A sealed token takes 16 random octets, got ${randomOctets.length}`);
  }
  let hex = "";
  for (const octet of randomOctets) hex += octet.toString(16).padStart(2, "0");
  return sealedToken.prefix + hex;
}
