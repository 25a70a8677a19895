import { LRUCache } from "lru-cache";

/** TLS sessions by canonical host, for handshakes without a certificate. */
export interface SessionCache {
  get(host: string): Buffer | undefined;
  set(host: string, session: Buffer): void;
  delete(host: string): void;
}

const hostsMax = 512;
const lifetimeMilliseconds = 3600 * 1000;

/**
 * Sessions are shared by all sandboxes. A session holds nothing of the
 * sandbox that opened it: the proxy shows no client certificate and sends no
 * early data. It is kept only after the certificate was verified for that very host,
 * and resuming proves that the server still holds the keys of then.
 */
export function createSessionCache(): SessionCache {
  const sessions = new LRUCache<string, Buffer>({ max: hostsMax, ttl: lifetimeMilliseconds });
  return {
    get: (host) => sessions.get(host),
    set(host, session) {
      sessions.set(host, session);
    },
    delete(host) {
      sessions.delete(host);
    },
  };
}
