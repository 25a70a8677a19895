import { isHopByHop } from "./hop-by-hop.ts";

/** Fields that must not come after a body (RFC 9110 §6.5.1): they control framing and routing. */
const forbiddenTrailers = new Set([
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "host",
  "opencomputer-egress",
  "trailer",
]);

/**
 * Whether a field of this lower-case name is left out of a trailer section: one that
 * must not be there, or that concerns only the connection that it came on.
 */
export function isForbiddenTrailer(lowerName: string): boolean {
  return forbiddenTrailers.has(lowerName) || isHopByHop(lowerName);
}
