import { uuidSchema } from "@opencomputer/protocol";

/** A UUID that a caller sent, or `undefined`: the database refuses to compare anything else. */
export function asUuid(text: string): string | undefined {
  return uuidSchema.safeParse(text).success ? text.toLowerCase() : undefined;
}
