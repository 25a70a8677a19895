const lineEnds = new Set([10, 13]);
const tilde = "~".charCodeAt(0);
const dot = ".".charCodeAt(0);

/**
 * Detects `~.` at the beginning of a line, the escape sequence of ssh(1), which
 * detaches. `~~` there types one `~`.
 */
export function createDetachKey() {
  let isAtLineStart = true;
  let isEscaped = false;
  return {
    /** Returns which of these keys to send, and whether the user detached. */
    take(keys: Buffer): { typed: Buffer; isDetached: boolean } {
      const typed: number[] = [];
      for (const key of keys) {
        if (isEscaped) {
          isEscaped = false;
          if (key === dot) return { typed: Buffer.from(typed), isDetached: true };
          typed.push(tilde);
          if (key === tilde) {
            isAtLineStart = false;
            continue;
          }
        } else if (isAtLineStart && key === tilde) {
          isEscaped = true;
          continue;
        }
        typed.push(key);
        isAtLineStart = lineEnds.has(key);
      }
      return { typed: Buffer.from(typed), isDetached: false };
    },
  };
}
