/** Random bytes as hexadecimal digits. `crypto.randomUUID` does not exist on pages that were loaded over plain HTTP. */
export function randomHex(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
