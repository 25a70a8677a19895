import { closeSync, readFileSync } from "node:fs";
import { secretSettingsSchema, secretsDescriptorSchema } from "@opencomputer/protocol/wire";

/**
 * Returns the environment with the secrets that the supervisor hands over on a
 * pipe, whose descriptor `OPENCOMPUTER_SECRETS_DESCRIPTOR` names. The pipe is read
 * to its end and closed, so no process that this one starts finds them.
 */
export function readSecretSettings(
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> {
  const given = environment["OPENCOMPUTER_SECRETS_DESCRIPTOR"];
  if (given === undefined) return environment;
  const descriptor = secretsDescriptorSchema.parse(given);
  try {
    const secrets = secretSettingsSchema.parse(JSON.parse(readFileSync(descriptor, "utf8")));
    return { ...environment, ...secrets };
  } finally {
    closeSync(descriptor);
  }
}
