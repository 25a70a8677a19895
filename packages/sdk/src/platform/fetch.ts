/** The part of `fetch` that the SDK uses, which browsers, Node and undici all have. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export interface FetchInit {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>;
  /** Set with a streamed body, as the Fetch standard requires. */
  duplex?: "half";
  /** The API never redirects; following one would send the API key elsewhere. */
  redirect: "manual" | "error";
  /** Set with a streamed body, see `fetchInit`. */
  window?: null;
  signal?: AbortSignal;
}

export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}
