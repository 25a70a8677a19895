import {
  awsValuePattern,
  HostPatternError,
  limits,
  normalizeAllowlistEntry,
  normalizePlacement,
  normalizeSecretHost,
  PlacementError,
  WireError,
} from "@opencomputer/protocol/api";
import type { EgressSecret, EgressSession } from "@opencomputer/protocol/wire";

/**
 * Checks a session for what its schema cannot express: patterns in their
 * canonical form, no token or name twice, no value empty or too long. Messages
 * name the secret and never quote its value.
 *
 * @throws {WireError} `invalid_host_pattern` or `invalid_request`.
 */
export function checkSession(session: EgressSession): void {
  for (const entry of session.egressAllowlist) {
    checkHost(entry, normalizeAllowlistEntry, "egressAllowlist");
  }
  const tokens = new Set<string>();
  const names = new Set<string>();
  for (const [index, secret] of session.secrets.entries()) {
    const place = `secrets[${index}]`;
    checkSecret(secret, place);
    if (names.has(secret.name)) throw refusal(`${place}.name repeats the name ${secret.name}`);
    if (tokens.has(secret.token)) throw refusal(`${place}.token is the token of another secret`);
    names.add(secret.name);
    tokens.add(secret.token);
  }
  for (const [index, secret] of session.awsSecrets.entries()) {
    const place = `awsSecrets[${index}]`;
    if (names.has(secret.name)) throw refusal(`${place}.name repeats the name ${secret.name}`);
    names.add(secret.name);
    for (const part of ["accessKeyId", "secretAccessKey", "sessionToken"] as const) {
      const { token, value } = secret[part];
      if (tokens.has(token)) throw refusal(`${place}.${part}.token is the token of another secret`);
      tokens.add(token);
      if (value !== null) checkAwsValue(value, `${place}.${part}.value`);
    }
    checkLimits(secret, place);
  }
  for (const [index, { name, token }] of session.revokedSecrets.entries()) {
    const place = `revokedSecrets[${index}]`;
    if (names.has(name)) throw refusal(`${place}.name repeats the name ${name}`);
    if (tokens.has(token)) throw refusal(`${place}.token is the token of another secret`);
    tokens.add(token);
  }
  for (const [index, secret] of session.formerSecrets.entries()) {
    checkSecret(secret, `formerSecrets[${index}]`);
  }
}

function checkSecret(secret: EgressSecret, place: string): void {
  const valueBytes = Buffer.byteLength(secret.value);
  if (valueBytes === 0 || valueBytes > limits.secretValueBytesMax) {
    throw refusal(
      `${place}.value has ${valueBytes} bytes, expected 1 to ${limits.secretValueBytesMax}`,
    );
  }
  checkLimits(secret, place);
}

/** It stands in a header or a query as it is. */
function checkAwsValue(value: string, place: string): void {
  if (awsValuePattern.test(value) && value.length <= limits.awsSessionTokenCharactersMax) return;
  throw refusal(
    `${place} has ${value.length} characters, expected 1 to ${limits.awsSessionTokenCharactersMax} of visible ASCII`,
  );
}

function checkLimits(
  { allowedHosts, substituteIn }: Pick<EgressSecret, "allowedHosts" | "substituteIn">,
  place: string,
): void {
  for (const host of allowedHosts) checkHost(host, normalizeSecretHost, `${place}.allowedHosts`);
  for (const placement of substituteIn) checkPlacement(placement, `${place}.substituteIn`);
}

function checkPlacement(placement: string, place: string): void {
  if (canonicalPlacement(placement) === placement) return;
  throw refusal(
    `${place} has ${JSON.stringify(placement)}, expected a placement in its canonical form`,
  );
}

function canonicalPlacement(placement: string): string | undefined {
  try {
    return normalizePlacement(placement);
  } catch (error) {
    if (error instanceof PlacementError) return undefined;
    throw error;
  }
}

type Normalize = (text: string) => string;

function checkHost(host: string, normalize: Normalize, place: string): void {
  if (canonicalForm(host, normalize) === host) return;
  throw new WireError(
    "invalid_host_pattern",
    `${place} has ${JSON.stringify(host)}, expected a host pattern in its canonical form`,
  );
}

function canonicalForm(host: string, normalize: Normalize): string | undefined {
  try {
    return normalize(host);
  } catch (error) {
    if (error instanceof HostPatternError) return undefined;
    throw error;
  }
}

function refusal(message: string): WireError {
  return new WireError("invalid_request", message);
}
