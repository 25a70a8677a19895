import { timingSafeEqual } from "node:crypto";

/** Takes as long for every signature of the same length. */
export function isSameSignature(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
