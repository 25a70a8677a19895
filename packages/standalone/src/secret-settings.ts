import { readFileSync } from "node:fs";
import { SettingsError } from "@opencomputer/protocol";

/** Settings that no process but the control plane gets, and none in its environment. */
export const secretSettingNames = [
  "OPENCOMPUTER_API_KEY",
  "DATABASE_URL",
  "OPENSANDBOX_SECRET_ENCRYPTION_KEY",
  "OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS",
] as const;

/**
 * Takes the secrets out of an environment, so that nothing that this process
 * starts inherits one. Each may also be the content of the file that
 * `<name>_FILE` names, such as a credential of systemd.
 *
 * @throws {SettingsError} for a secret that is given twice, or whose file cannot be read.
 */
export function takeSecrets(environment: NodeJS.ProcessEnv): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const name of secretSettingNames) {
    const value = environment[name] || undefined;
    const fileName = `${name}_FILE`;
    const path = environment[fileName] || undefined;
    delete environment[name];
    delete environment[fileName];
    if (value !== undefined && path !== undefined) {
      throw new SettingsError(`${name} and ${fileName} are both set: set one of them.`);
    }
    const secret = path === undefined ? value : readSecretFile(fileName, path);
    if (secret !== undefined) secrets[name] = secret;
  }
  return secrets;
}

function readSecretFile(name: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    const error = new SettingsError(`${name}: ${path} cannot be read`);
    error.cause = cause;
    throw error;
  }
  if (text === "") throw new SettingsError(`${name}: ${path} is empty, expected the secret`);
  return text;
}
