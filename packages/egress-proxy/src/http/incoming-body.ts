import type { Field } from "./fields.ts";

/** Observes the data of a body as it is read. */
export interface BodyWatch {
  onData(part: Buffer): void;
  onEnd(): void;
}

/**
 * A body that is read on demand. One that is cut short is an error, never an
 * end: `HttpSyntaxError` with the fault `truncated`, or `ChannelLostError`.
 */
export interface IncomingBody {
  /** Whether the end of the body has been read. */
  readonly complete: boolean;
  /** Body bytes read so far, without framing. */
  readonly bytes: number;
  /** Trailer fields, once complete. */
  readonly trailers: readonly Field[];
  /** Shows `watch` all data from now on, and the end. */
  watch(watch: BodyWatch): void;
  /**
   * Resolves to the data of the next arrival, which may be empty; null once complete.
   *
   * @throws {HttpSyntaxError}
   * @throws {ChannelLostError}
   */
  read(): Promise<readonly Buffer[] | null>;
  /** Takes all of a body of declared length, when it has already arrived in one piece. */
  takeWhole(): Buffer | undefined;
}

/** The body of a message that has none. */
export const noBody: IncomingBody = {
  complete: true,
  bytes: 0,
  trailers: [],
  watch: () => undefined,
  read: () => Promise.resolve(null),
  takeWhole: () => undefined,
};

/** Reads the rest of a body whose size the caller has bounded. */
export async function readWhole(body: IncomingBody): Promise<Buffer> {
  const parts: Buffer[] = [];
  while (!body.complete) {
    const data = await body.read();
    if (data !== null) parts.push(...data);
  }
  return joined(parts);
}

/** Returns parts as one, without a copy where there is only one. */
export function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
