/** Fields that must not come after a body (RFC 9110 §6.5.1): they control framing and routing. */
const forbiddenTrailers = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "host",
  "keep-alive",
  "opencomputer-egress",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a field of this lower-case name is left out of a trailer section. */
export function isForbiddenTrailer(lowerName: string): boolean {
  return forbiddenTrailers.has(lowerName);
}
