import { LRUCache } from "lru-cache";

/** TLS sessions by canonical host, for abbreviated handshakes. */
export interface SessionCache {
  get(host: string): Buffer | undefined;
  set(host: string, session: Buffer): void;
  delete(host: string): void;
}

const hostsMax = 512;
const lifetimeMilliseconds = 3600 * 1000;

/**
 * Creates a cache that all sandboxes share. A session has no data of the sandbox
 * that opened it: the proxy presents no client certificate and sends no early
 * data. It is kept only after the certificate was verified for that exact host,
 * and resuming proves that the server still has the same keys.
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
