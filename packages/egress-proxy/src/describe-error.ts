/**
 * What may be logged of an error that this process did not make: its class,
 * its code and where it came from. Never the message: libraries quote their
 * input in it, and the input may be a secret.
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

/** The stack behind the message, of which each line could look like a frame. */
function afterMessage({ message, stack = "" }: Error): string {
  const at = stack.indexOf(message);
  return at === -1 ? "" : stack.slice(at + message.length);
}

/** The `code` of a system or OpenSSL error, such as `ECONNREFUSED`; null when there is none. */
export function errorCode(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
