import type { Field } from "./fields.ts";

/** The head of a request, in whatever version of HTTP it arrived. */
export interface RequestHead {
  readonly method: string;
  /** The target of the request, unchanged. */
  readonly target: string;
  /** 0 for HTTP/1.0; 1 for later versions. */
  readonly minorVersion: 0 | 1;
  readonly fields: readonly Field[];
}

/** The head of a response, in whatever version of HTTP it arrived. */
export interface ResponseHead {
  /** 0 for HTTP/1.0; 1 for later versions. */
  readonly minorVersion: 0 | 1;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
}

/** Where a body ends. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  /** The body itself marks its end, and may be followed by trailers. */
  | { readonly kind: "chunked" }
  | { readonly kind: "until_close" };
