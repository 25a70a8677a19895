/**
 * The parts of a foreign error that may be logged: its class, its code and
 * where it came from. Never the message: libraries quote their input in it, and
 * the input may be a secret.
 */
export interface ErrorDescription {
  name: string;
  code: string | null;
  frames: string[];
}

export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, code: null, frames: [] };
  const frames = afterMessage(error)
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .map((line) => line.trim());
  return { name: error.name, code: errorCode(error), frames };
}

/** The stack after the message, any line of which could look like a frame. */
function afterMessage({ message, stack = "" }: Error): string {
  const at = stack.indexOf(message);
  return at === -1 ? "" : stack.slice(at + message.length);
}

/** Returns the `code` of a system or OpenSSL error, such as `ECONNREFUSED`; null when it has none. */
export function errorCode(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
