import {
  type EgressSession,
  HostPatternError,
  limits,
  normalizeHostPattern,
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
    if (names.has(secret.name)) throw refusal(`${place}.name repeats the name ${secret.name}`);
    if (tokens.has(secret.token)) throw refusal(`${place}.token is the token of another secret`);
    names.add(secret.name);
    tokens.add(secret.token);
    const valueBytes = Buffer.byteLength(secret.value);
    if (valueBytes === 0 || valueBytes > limits.secretValueBytesMax) {
      throw refusal(
        `${place}.value has ${valueBytes} octets, expected 1 to ${limits.secretValueBytesMax}`,
      );
    }
    for (const pattern of secret.allowedHosts) checkPattern(pattern, `${place}.allowedHosts`);
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
