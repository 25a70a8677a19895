import {
  type EgressSecret,
  type EgressSession,
  HostPatternError,
  limits,
  normalizeHostPattern,
  normalizePlacement,
  PlacementError,
  WireError,
} from "@opencomputer/protocol";

/**
 * Refuses a session that the proxy could misread: a pattern that is not in
 * its canonical form, a token or name given twice, a value that is empty or
 * too long. Messages name the secret and never quote its value.
 *
 * @throws {WireError} `invalid_host_pattern` or `invalid_request`.
 */
export function checkSession(session: EgressSession): void {
  for (const pattern of session.egressAllowlist) checkPattern(pattern, "egressAllowlist");
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
  for (const [index, { name, token }] of session.revokedSecrets.entries()) {
    const place = `revokedSecrets[${index}]`;
    if (names.has(name)) throw refusal(`${place}.name repeats the name ${name}`);
    if (tokens.has(token)) throw refusal(`${place}.token is the token of another secret`);
    names.add(name);
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
  for (const pattern of secret.allowedHosts) checkPattern(pattern, `${place}.allowedHosts`);
  for (const placement of secret.substituteIn) checkPlacement(placement, `${place}.substituteIn`);
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

function checkPattern(pattern: string, place: string): void {
  if (canonicalForm(pattern) === pattern) return;
  throw new WireError(
    "invalid_host_pattern",
    `${place} has ${JSON.stringify(pattern)}, expected a host pattern in its canonical form`,
  );
}

function canonicalForm(pattern: string): string | undefined {
  try {
    return normalizeHostPattern(pattern);
  } catch (error) {
    if (error instanceof HostPatternError) return undefined;
    throw error;
  }
}

function refusal(message: string): WireError {
  return new WireError("invalid_request", message);
}
