import type { SecretKind } from "@opencomputer/protocol/api";
import type { AwsEgressSecret, EgressSecret, RevokedSecret } from "@opencomputer/protocol/wire";
import type { SecretUse } from "../former-secrets/former-secret.ts";
import { parseAwsValue } from "../secret-kinds/aws-value.ts";
import { awsTokens, tokensOf } from "../secret-kinds/secret-variables.ts";

/** A secret of kind `value` as the proxy has it. */
export function toEgressSecret(secret: SecretUse): EgressSecret {
  const { name, token, value, allowedHosts, substituteIn } = secret;
  return {
    name,
    token,
    value: value.reveal(),
    allowedHosts: [...allowedHosts],
    substituteIn: [...substituteIn],
  };
}

/** A secret of kind `aws` as the proxy has it. */
export function toAwsEgressSecret(secret: SecretUse): AwsEgressSecret {
  const { name, token, value, allowedHosts, substituteIn } = secret;
  const tokens = awsTokens(token);
  const { accessKeyId, secretAccessKey, sessionToken } = parseAwsValue(value.reveal());
  return {
    name,
    accessKeyId: { token: tokens.accessKeyId, value: accessKeyId },
    secretAccessKey: { token: tokens.secretAccessKey, value: secretAccessKey },
    sessionToken: { token: tokens.sessionToken, value: sessionToken ?? null },
    allowedHosts: [...allowedHosts],
    substituteIn: [...substituteIn],
  };
}

/**
 * What responses are searched for of a secret that is not in use. Hosts receive what they
 * do of AWS credentials in headers, or in presigned URLs, which they may have stored.
 */
export function toFormerSecrets(secret: SecretUse): EgressSecret[] {
  if (secret.kind === "value") return [toEgressSecret(secret)];
  const { name, allowedHosts, accessKeyId, secretAccessKey, sessionToken, ...placed } =
    toAwsEgressSecret(secret);
  const substituteIn = placed.substituteIn.includes("query") ? ["header", "query"] : ["header"];
  return [accessKeyId, secretAccessKey, sessionToken].flatMap(({ token, value }) =>
    value === null ? [] : [{ name, token, value, allowedHosts, substituteIn }],
  );
}

/** Every token of a secret that was revoked. */
export function toRevokedSecrets(secret: {
  name: string;
  kind: SecretKind;
  token: string;
}): RevokedSecret[] {
  return tokensOf(secret).map((token) => ({ name: secret.name, token }));
}
