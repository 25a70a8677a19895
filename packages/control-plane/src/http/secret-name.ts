import { secretNameSchema, WireError } from "@opencomputer/protocol";

/** @throws {WireError} `invalid_secret_name` */
export function parseSecretName(text: string): string {
  const parsed = secretNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WireError(
    "invalid_secret_name",
    `The secret's name ${issue?.message ?? "is not valid"}, found ${JSON.stringify(text.slice(0, 128))}`,
  );
}
