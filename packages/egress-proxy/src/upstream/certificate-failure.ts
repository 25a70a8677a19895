/** Reasons for which a certificate is not trusted, by the code of Node or OpenSSL. */
const reasons: Record<string, string> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  CERT_REVOKED: "it has been revoked",
  CERT_SIGNATURE_FAILURE: "its signature is wrong",
  CERT_UNTRUSTED: "it is not trusted",
  CERT_REJECTED: "it is marked as not for this purpose",
  CERT_CHAIN_TOO_LONG: "its chain is too long",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "it comes from a CA that the proxy does not know",
  UNABLE_TO_GET_ISSUER_CERT: "it comes from a CA that the proxy does not know",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "it comes from a CA that the proxy does not know",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "it comes from a CA that the proxy does not know",
  INVALID_CA: "its chain has a certificate that is no CA",
  INVALID_PURPOSE: "it is not for a server",
  PATH_LENGTH_EXCEEDED: "its chain is too long",
  HOSTNAME_MISMATCH: "it is for another name",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name",
  ERR_TLS_CERT_ALTNAME_FORMAT: "its names are malformed",
};

const unknownAuthority = "it comes from a CA that the proxy does not know";

/** Returns why a server's certificate was refused; `undefined` when the failure is another. */
export function certificateFailure(code: string | null): string | undefined {
  const reason = code === null ? undefined : reasons[code];
  return reason === unknownAuthority
    ? `${reason}; an operator can add one with OPENCOMPUTER_EGRESS_CA_FILE`
    : reason;
}
