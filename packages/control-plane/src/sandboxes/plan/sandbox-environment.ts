import { environmentBytes, limits, type SecretKind, WireError } from "@opencomputer/protocol/api";
import { secretVariables } from "../../secret-kinds/secret-variables.ts";

/**
 * Composes the environment of every command: the tokens of the sandbox's
 * secrets, and over them its plain variables. The variables of one secret are set
 * together or not at all: a mix of two credentials is useless. Where two secrets
 * have the same variable, the one with more variables wins.
 */
export function sandboxEnvironment(
  secrets: readonly { name: string; kind: SecretKind; token: string }[],
  envs: Record<string, string>,
): Record<string, string> {
  const ofSecrets = secrets
    .map(secretVariables)
    .filter((variables) => !Object.keys(variables).some((name) => Object.hasOwn(envs, name)))
    .sort((one, other) => Object.keys(one).length - Object.keys(other).length);
  return Object.assign({}, ...ofSecrets, envs);
}

/**
 * Asserts that the variables fit: a sandbox with more could run no command.
 *
 * @throws {WireError} `limit_exceeded`
 */
export function assertEnvironmentFits(environment: Record<string, string>): void {
  const { environmentVariablesMax, environmentBytesTotalMax } = limits;
  const count = Object.keys(environment).length;
  if (count > environmentVariablesMax) {
    throw new WireError(
      "limit_exceeded",
      `envs: a sandbox has at most ${environmentVariablesMax} variables, those of its secrets and its image included, found ${count}. Pass fewer`,
    );
  }
  const byteCount = environmentBytes(environment);
  if (byteCount <= environmentBytesTotalMax) return;
  throw new WireError(
    "limit_exceeded",
    `envs: the variables of a sandbox, those of its secrets and its image included, must be at most ${environmentBytesTotalMax} bytes together with their names, found ${byteCount}. Pass fewer, or write large values to files`,
  );
}
