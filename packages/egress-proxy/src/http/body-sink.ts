import type { Field } from "./fields.ts";

/** Where a body is written, with back-pressure. */
export interface BodySink {
  /** Body bytes written so far, without framing. */
  readonly bytes: number;
  /** Writes data; returns a promise when the caller has to wait before writing more. */
  write(data: Buffer): Promise<void> | undefined;
  /** Writes these parts as one, so that no boundary between them can be observed. */
  writeTogether(parts: readonly Buffer[]): Promise<void> | undefined;
  /** Ends the body. Trailers are sent where the framing has room for them. */
  end(trailers: readonly Field[]): Promise<void> | undefined;
}
