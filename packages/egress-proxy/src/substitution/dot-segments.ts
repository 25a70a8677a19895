/** Characters that some server takes for the end of a path segment. */
const segmentEnds = /[/\\;]/;

/** Whether a decoded text has a segment `.` or `..`, which changes what a path names (RFC 3986 §5.2.4). */
export function hasDotSegment(text: string): boolean {
  return text.split(segmentEnds).some((segment) => segment === "." || segment === "..");
}

/** Decodes the percent-escapes of a text, one character a byte; what is no escape stays. */
export function percentDecoded(text: string): string {
  return text.includes("%")
    ? text.replace(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      )
    : text;
}
