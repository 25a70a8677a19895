import type { Field } from "./fields.ts";

/** The head of a request as it is sent upstream, without the fields that frame its body. */
export interface OutgoingRequestHead {
  readonly method: string;
  /** The target in origin form, or `*`. */
  readonly target: string;
  readonly host: string;
  /** The fields that are passed on, `Host` left out. */
  readonly fields: readonly Field[];
  /** Names, in lower case, of the fields that hold a value of a secret. */
  readonly secretFields: readonly string[];
  /** Whether trailers are accepted (`TE: trailers`). */
  readonly takesTrailers: boolean;
  /** The protocol to switch to. */
  readonly upgrade: string | undefined;
}

/** Whether a request asks to switch to a WebSocket. */
export function opensWebSocket({ upgrade }: Pick<OutgoingRequestHead, "upgrade">): boolean {
  return upgrade?.toLowerCase() === "websocket";
}

/** The head of a response as it is sent to a guest. */
export interface OutgoingResponseHead {
  readonly status: number;
  readonly reason: string;
  /** The fields that are passed on, without those that frame the body. */
  readonly fields: readonly Field[];
  /** `Content-Length` to give; undefined for none. */
  readonly contentLength: string | undefined;
  /** Whether the body marks its own end. */
  readonly chunked: boolean;
  /** Whether the connection ends after this response. */
  readonly close: boolean;
  /** The protocol that a 101 switches to. */
  readonly upgrade: string | undefined;
}
