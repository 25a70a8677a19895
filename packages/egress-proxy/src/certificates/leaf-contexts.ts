import { createSecureContext, type SecureContext } from "node:tls";
import type { CertificateAuthorityKeys } from "@opencomputer/protocol";
import { LRUCache } from "lru-cache";
import { type CertificateAuthority, importCertificateAuthority } from "./certificate-authority.ts";
import { issueLeafCertificate, type LeafKey } from "./leaf-certificate.ts";

export interface LeafContexts {
  /**
   * Puts a CA in force; contexts of a former one are forgotten.
   *
   * @throws {WireError} `invalid_request`; the former CA then stays in force.
   */
  setAuthority(keys: CertificateAuthorityKeys): Promise<void>;
  readonly hasAuthority: boolean;
  /**
   * The TLS context that proves this canonical host to a guest; `undefined`
   * while there is no CA. Concurrent calls for one host share the work.
   */
  contextFor(host: string): Promise<SecureContext | undefined>;
}

const contextLifetimeMilliseconds = 24 * 3600 * 1000;

export function createLeafContexts(options: {
  leafKey: LeafKey;
  contextsMax: number;
  now: () => Date;
}): LeafContexts {
  const { leafKey, now } = options;
  const contexts = new LRUCache<string, Promise<SecureContext>>({
    max: options.contextsMax,
    ttl: contextLifetimeMilliseconds,
  });
  let authority: CertificateAuthority | undefined;

  const issue = async (signer: CertificateAuthority, host: string): Promise<SecureContext> => {
    const cert = await issueLeafCertificate({ authority: signer, leafKey, host, now: now() });
    return createSecureContext({ key: leafKey.privateKeyPem, cert });
  };

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
    async contextFor(host) {
      if (authority === undefined) return undefined;
      const known = contexts.get(host);
      if (known !== undefined) return await known;
      const made = issue(authority, host);
      contexts.set(host, made);
      try {
        return await made;
      } catch (error) {
        if (contexts.peek(host) === made) contexts.delete(host);
        throw error;
      }
    },
  };
}
