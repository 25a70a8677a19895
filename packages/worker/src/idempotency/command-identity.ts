import { createHash } from "node:crypto";

/** Identifies a keyed command, in the worker and in its guest. */
export interface CommandIdentity {
  readonly sandboxId: string;
  readonly key: string;
  /** The same for the same request alone. */
  readonly fingerprint: string;
  /** Id of the session in the guest: another sandbox's copy of it is another. */
  readonly sessionId: string;
}

/** @param route Distinguishes requests with the same body, such as `exec/run`. */
export function identifyCommand(
  sandboxId: string,
  key: string,
  route: string,
  body: unknown,
): CommandIdentity {
  return {
    sandboxId,
    key,
    fingerprint: digest([route, body]),
    sessionId: `exec-${digest([sandboxId, key]).slice(0, 24)}`,
  };
}

/** Every part is parsed by a schema, which gives its fields one order. */
function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
