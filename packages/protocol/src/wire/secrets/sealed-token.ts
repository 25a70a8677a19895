/**
 * A sealed token: what a sandbox has instead of a secret value.
 *
 * `osb_sealed_` and 32 lowercase hexadecimal digits, 43 bytes of ASCII. Minting
 * and substitution both use this definition.
 */
export const sealedToken = {
  prefix: "osb_sealed_",
  hexDigits: 32,
  /** Length of a token in bytes. */
  length: "osb_sealed_".length + 32,
  pattern: /^osb_sealed_[0-9a-f]{32}$/,
} as const;

/** Makes a token from 16 random bytes. */
export function sealedTokenFrom(randomBytes: Uint8Array): string {
  if (randomBytes.length !== 16) {
    throw new RangeError(`A sealed token takes 16 random bytes, got ${randomBytes.length}`);
  }
  let hex = "";
  for (const byte of randomBytes) hex += byte.toString(16).padStart(2, "0");
  return sealedToken.prefix + hex;
}
