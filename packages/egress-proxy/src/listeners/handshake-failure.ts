import { hostFromServerName } from "./guest-connection.ts";

/** OpenSSL's codes for the alerts of a client that does not trust the certificate. */
const distrustCodes = new Set([
  "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
  "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
  "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
  "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
]);

/** Returns why a guest's handshake failed, for the audit log. */
export function handshakeFailure(facts: {
  serverName: string | null;
  hasAuthority: boolean;
  code: string | null;
}): string {
  if (facts.code !== null && distrustCodes.has(facts.code)) {
    return "the client does not trust the installation's CA";
  }
  if (facts.code === "ECONNRESET") return "the client closed the connection during the handshake";
  if (facts.code === "ERR_TLS_HANDSHAKE_TIMEOUT") return "the handshake took too long";
  if (facts.code === "ERR_SSL_HTTP_REQUEST") return "the client sent plain HTTP to the TLS port";
  if (facts.code === "ERR_SSL_NO_APPLICATION_PROTOCOL") {
    return "the client offers neither HTTP/2 nor HTTP/1.1";
  }
  if (facts.code === "ERR_SSL_UNSUPPORTED_PROTOCOL") {
    return "the client offers no version of TLS from 1.2 upwards";
  }
  if (facts.serverName === null) return "the client named no server (SNI)";
  if (hostFromServerName(facts.serverName) === undefined) {
    return "the server name (SNI) is no host name";
  }
  if (!facts.hasAuthority) return "the proxy has not been given its CA yet";
  return `the TLS handshake failed (${facts.code ?? "no code"})`;
}
