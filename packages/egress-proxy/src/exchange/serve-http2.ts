import { constants, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { FrameOverhead } from "../http2/frame-overhead.ts";
import { guestSessionOptions } from "../http2/session-options.ts";
import type { GuestConnection } from "../listeners/guest-connection.ts";
import { Http2Guest } from "./guest/http2-guest.ts";
import { serveExchange } from "./serve-exchange.ts";
import type { ExchangeDependencies } from "./state/exchange-dependencies.ts";
import { createServedConnection } from "./state/served-connection.ts";
import { SharedUpstream } from "./upstream/shared-upstream.ts";

/**
 * Serves a guest's connection over HTTP/2 until either side ends it: each stream
 * is one exchange, under the policy that is in force when it begins. Never rejects.
 */
export async function serveHttp2(
  deps: ExchangeDependencies,
  origin: GuestConnection,
): Promise<void> {
  const { headTimeoutSeconds, idleTimeoutSeconds } = deps.options;
  const session = performServerHandshake(origin.socket, {
    ...guestSessionOptions,
    streamResetBurst: deps.options.streamResetsMax,
  });
  const watchdog = deps.watchdogs.start(() => session.destroy());
  const overhead = new FrameOverhead(origin.socket, {
    now: deps.clock.monotonicMilliseconds(),
    onExceeded: () => session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM),
  });
  const stopChecking = deps.watchdogs.check(overhead);
  const upstream = new SharedUpstream({
    ...deps,
    onActivity: () => watchdog.activity(),
  });
  let open = 0;
  const makeRoom = () => session.close();
  watchdog.allowTotal(headTimeoutSeconds);
  origin.admission.idle(makeRoom);

  const serveStream = async (stream: ServerHttp2Stream, raw: readonly string[]) => {
    stream.on("error", ignoreError);
    if (!deps.streamCounts.tryTake(origin.sourceAddress)) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    // Until then it may hold a response that the guest does not take.
    stream.once("close", () => deps.streamCounts.give(origin.sourceAddress));
    open += 1;
    watchdog.allowUnlimited();
    origin.admission.busy();
    const connection = createServedConnection(origin, deps, {
      guest: (hooks) => new Http2Guest(stream, raw, overhead, hooks),
      link: () => upstream.link(),
    });
    try {
      await serveExchange(connection, deps);
    } finally {
      connection.watchdog.stop();
      connection.link.drop();
      if (!stream.readableEnded) overhead.abandon(serviceLimits.http2GuestWindowBytes);
      finish(stream);
      open -= 1;
      if (open === 0) {
        watchdog.allowTotal(idleTimeoutSeconds);
        origin.admission.idle(makeRoom);
        if (origin.admission.isRefused) session.close();
      }
    }
  };

  session.on("error", ignoreError);
  // The socket is half-open, and HTTP/2 is not: streams end, connections close.
  origin.socket.once("end", () => session.destroy());
  session.on("stream", (stream, _headers, _flags, raw: readonly string[]) => {
    void serveStream(stream, raw);
  });
  await new Promise<void>((resolve) => session.once("close", resolve));
  watchdog.stop();
  stopChecking();
  upstream.close();
}

/** Asks a guest that still sends its request to stop, once its response has been sent (RFC 9113 §8.1). */
function finish(stream: ServerHttp2Stream): void {
  const stop = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
  if (stream.destroyed || stream.closed || stream.readableEnded) return;
  if (stream.endAfterHeaders) return;
  if (stream.writableFinished) stop();
  else stream.once("finish", stop);
}

function ignoreError(): void {
  // Whoever serves the stream is notified by its close.
}
