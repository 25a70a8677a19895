import type { ClientSessionOptions, ServerSessionOptions } from "node:http2";
import { serviceLimits } from "@opencomputer/protocol/wire";

/**
 * What `node:http2` takes of a header section is twice what the proxy does, so
 * that a head which is a little too large gets a response with the reason; one
 * beyond this is reset as it arrives, before it takes memory.
 */
const headerBytesMax = 2 * serviceLimits.httpHeadBytesMax;
const headerPairsMax = 2 * serviceLimits.httpFieldsMax;
/** Heads grow by the values that are put into them; the proxy has its own bound on that. */
const sentHeaderBytesMax = 512 * 1024;

const common = {
  maxHeaderListPairs: headerPairsMax,
  maxSendHeaderBlockLength: sentHeaderBytesMax,
  maxOutstandingPings: 2,
  /** Header fields that are given more than once pass as they are. */
  strictSingleValueFields: false,
};

/** Options of a guest's session. Each of its bounds has a test in `serve-http2.test.ts`. */
export const guestSessionOptions: ServerSessionOptions = {
  ...common,
  settings: {
    enablePush: false,
    /** RFC 8441 §3. Every host may be asked: one that does not take it over HTTP/2 is asked over HTTP/1.1. */
    enableConnectProtocol: true,
    maxConcurrentStreams: serviceLimits.http2StreamsPerConnectionMax,
    maxHeaderListSize: headerBytesMax,
    initialWindowSize: serviceLimits.http2GuestWindowBytes,
  },
  maxSessionInvalidFrames: serviceLimits.http2InvalidFramesMax,
  maxSessionRejectedStreams: serviceLimits.http2StreamsPerConnectionMax,
  streamResetRate: serviceLimits.http2StreamResetsPerSecond,
};

/** Options of a session with an upstream. */
export const upstreamSessionOptions: ClientSessionOptions = {
  ...common,
  maxReservedRemoteStreams: 0,
  settings: {
    enablePush: false,
    maxHeaderListSize: headerBytesMax,
    initialWindowSize: serviceLimits.http2UpstreamWindowBytes,
  },
};
