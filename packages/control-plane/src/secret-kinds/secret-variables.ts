import { createHash } from "node:crypto";
import {
  environmentNamePattern,
  isReservedEnvironmentName,
  type SecretKind,
  WireError,
} from "@opencomputer/protocol/api";
import { sealedTokenFrom } from "@opencomputer/protocol/wire";

/** What the parts of a secret of kind `aws` are called, as the end of their variables. */
const awsParts = {
  accessKeyId: "ACCESS_KEY_ID",
  secretAccessKey: "SECRET_ACCESS_KEY",
  sessionToken: "SESSION_TOKEN",
} as const;

type AwsPart = keyof typeof awsParts;

/**
 * The tokens of a secret of kind `aws`. They follow from the one token that is
 * stored: tokens are not secret, and so a secret of any kind has one row.
 */
export function awsTokens(token: string): Record<AwsPart, string> {
  return {
    accessKeyId: partToken(token, "accessKeyId"),
    secretAccessKey: partToken(token, "secretAccessKey"),
    sessionToken: partToken(token, "sessionToken"),
  };
}

function partToken(token: string, part: AwsPart): string {
  return sealedTokenFrom(createHash("sha256").update(`${token}\n${part}`).digest().subarray(0, 16));
}

/** Every token of a secret. */
export function tokensOf({ kind, token }: { kind: SecretKind; token: string }): string[] {
  return kind === "value" ? [token] : Object.values(awsTokens(token));
}

/** The environment variables that have the tokens of a secret. */
export function secretVariables(secret: {
  name: string;
  kind: SecretKind;
  token: string;
}): Record<string, string> {
  const { name, kind, token } = secret;
  if (kind === "value") return { [name]: token };
  const tokens = awsTokens(token);
  return Object.fromEntries(
    Object.entries(awsParts).map(([part, ending]) => [
      `${name}_${ending}`,
      tokens[part as AwsPart],
    ]),
  );
}

/** The names of {@link secretVariables}. */
export function secretVariableNames({ name, kind }: { name: string; kind: SecretKind }): string[] {
  return kind === "value" ? [name] : Object.values(awsParts).map((ending) => `${name}_${ending}`);
}

/**
 * Asserts that a name also gives valid variables to a secret of this kind.
 *
 * @throws {WireError} `invalid_secret_name`
 */
export function assertVariableNames(secret: { name: string; kind: SecretKind }): void {
  for (const variable of secretVariableNames(secret)) {
    if (environmentNamePattern.test(variable) && !isReservedEnvironmentName(variable)) continue;
    throw new WireError(
      "invalid_secret_name",
      `The name of a secret of kind ${secret.kind} is the prefix of the names of its variables, and ${variable} is reserved or too long for one: choose another name, such as AWS`,
    );
  }
}
