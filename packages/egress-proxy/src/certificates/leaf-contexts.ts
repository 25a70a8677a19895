import { createSecureContext, type SecureContext } from "node:tls";
import type { CertificateAuthorityKeys } from "@opencomputer/protocol/wire";
import { LRUCache } from "lru-cache";
import { type CertificateAuthority, importCertificateAuthority } from "./certificate-authority.ts";
import { issueLeafCertificate, type LeafKey } from "./leaf-certificate.ts";

/** TLS contexts for the hosts that guests connect to. */
export interface LeafContexts {
  /**
   * Sets the CA; contexts of a former one are dropped.
   *
   * @throws {WireError} `invalid_request`; the former CA then stays.
   */
  setAuthority(keys: CertificateAuthorityKeys): Promise<void>;
  readonly hasAuthority: boolean;
  /** Whether there is a context for this canonical host, so that none has to be made. */
  has(host: string): boolean;
  /**
   * Returns the TLS context with a certificate for this canonical host;
   * `undefined` before a CA is set.
   */
  contextFor(host: string): SecureContext | undefined;
}

const contextLifetimeMilliseconds = 24 * 3600 * 1000;

export function createLeafContexts(options: {
  leafKey: LeafKey;
  contextsMax: number;
  now: () => Date;
}): LeafContexts {
  const { leafKey, now } = options;
  const contexts = new LRUCache<string, SecureContext>({
    max: options.contextsMax,
    ttl: contextLifetimeMilliseconds,
  });
  let authority: CertificateAuthority | undefined;

  return {
    async setAuthority(keys) {
      const imported = await importCertificateAuthority(keys);
      if (authority?.certificate.equal(imported.certificate)) return;
      authority = imported;
      contexts.clear();
    },
    get hasAuthority() {
      return authority !== undefined;
    },
    has: (host) => contexts.has(host),
    contextFor(host) {
      if (authority === undefined) return undefined;
      const known = contexts.get(host);
      if (known !== undefined) return known;
      const cert = issueLeafCertificate({ authority, leafKey, host, now: now() });
      const made = createSecureContext({ key: leafKey.privateKeyPem, cert });
      contexts.set(host, made);
      return made;
    },
  };
}
