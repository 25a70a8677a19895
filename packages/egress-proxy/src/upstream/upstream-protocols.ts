import type { Duplex } from "node:stream";
import { LRUCache } from "lru-cache";

/** A version of HTTP, by its name in ALPN (RFC 7301). */
export type Protocol = "h2" | "http/1.1";

/** What is known of the versions that a host speaks. */
export type KnownProtocol = "h2" | "http/1.1" | "h2_only";

const hostsMax = 4096;
const lifetimeMilliseconds = 3600 * 1000;

/**
 * Remembers which versions of HTTP canonical hosts speak, so that guests are
 * offered the same. All sandboxes share it: it is a public fact of the host, and
 * only a server with a verified certificate of the host states it.
 */
export class UpstreamProtocols {
  readonly #known = new LRUCache<string, KnownProtocol>({
    max: hostsMax,
    ttl: lifetimeMilliseconds,
  });

  of(host: string): KnownProtocol | undefined {
    return this.#known.get(host);
  }

  learn(host: string, protocol: KnownProtocol): void {
    this.#known.set(host, protocol);
  }

  /**
   * Chooses the version for a guest that connects to a host; undefined when it
   * offers none that is served. A host of which nothing is known gets HTTP/2: if
   * it does not speak it, exchanges are translated, and later guests get HTTP/1.1.
   */
  choose(host: string | undefined, offered: readonly string[]): Protocol | undefined {
    const takesHttp2 = offered.includes("h2");
    const takesHttp1 = offered.includes("http/1.1");
    if (!takesHttp2) return takesHttp1 ? "http/1.1" : undefined;
    const isHttp1Only = host !== undefined && this.of(host) === "http/1.1";
    return isHttp1Only && takesHttp1 ? "http/1.1" : "h2";
  }
}

/** Returns the version of HTTP that a TLS handshake agreed on; HTTP/1.1 where it agreed on none. */
export function negotiatedProtocol(socket: Duplex): Protocol {
  return "alpnProtocol" in socket && socket.alpnProtocol === "h2" ? "h2" : "http/1.1";
}
