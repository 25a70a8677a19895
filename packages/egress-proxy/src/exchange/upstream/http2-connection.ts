import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { FrameOverhead, type OverheadChecks } from "../../http2/frame-overhead.ts";
import { upstreamSessionOptions } from "../../http2/session-options.ts";
import { Http2Upstream } from "./http2-upstream.ts";
import { UnendedStreams } from "./unended-streams.ts";
import type { MonotonicClock } from "./upstream-link.ts";
import type { UpstreamConnection, UpstreamSide } from "./upstream-side.ts";

interface ConnectionDependencies {
  readonly clock: MonotonicClock;
  readonly watchdogs: OverheadChecks;
  readonly onActivity: () => void;
}

/** A connection over HTTP/2, which carries many exchanges at a time. */
export class Http2Connection implements UpstreamConnection {
  readonly #session: ClientHttp2Session;
  readonly #overhead: FrameOverhead;
  readonly #onActivity: () => void;
  readonly #settings: Promise<void>;
  readonly #unended = new UnendedStreams();

  constructor(
    socket: Duplex,
    host: string,
    { clock, watchdogs, onActivity }: ConnectionDependencies,
  ) {
    this.#onActivity = onActivity;
    this.#overhead = new FrameOverhead(socket, {
      now: clock.monotonicMilliseconds(),
      onExceeded: () => this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM),
    });
    this.#session = connect(`https://${host}`, {
      ...upstreamSessionOptions,
      createConnection: () => socket,
    });
    this.#session.on("error", ignoreError);
    this.#session.once("close", watchdogs.check(this.#overhead));
    this.#settings = new Promise((resolve) => {
      this.#session.once("remoteSettings", () => resolve());
      this.#session.once("close", resolve);
    });
    this.#session.once("connect", (session) => {
      // It is emitted for a session that was destroyed before, too.
      if (session.destroyed) return;
      session.setLocalWindowSize(serviceLimits.http2UpstreamConnectionWindowBytes);
    });
  }

  /** A session that has received GOAWAY finishes its exchanges, and takes no further ones. */
  get quiet(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether it takes WebSockets (RFC 8441 §3), as far as it has stated. */
  get takesWebSockets(): boolean {
    return this.#session.remoteSettings.enableConnectProtocol === true;
  }

  /** Resolves once the upstream has sent its settings, or has closed. */
  hasSettings(): Promise<void> {
    return this.#settings;
  }

  /** Calls back once, when the connection takes no further exchange. */
  onUnfit(callback: () => void): void {
    this.#session.once("goaway", callback);
    this.#session.once("close", callback);
  }

  exchange(): UpstreamSide {
    return new Http2Upstream(this.#session, this.#overhead, this.#onActivity, this.#unended);
  }

  destroy(): void {
    this.#session.destroy();
  }
}

function ignoreError(): void {
  // The streams of the session fail, and report it.
}
