import type { BodySink } from "../http/body-sink.ts";
import type { Field } from "../http/fields.ts";
import { isForbiddenTrailer } from "../http/forbidden-trailers.ts";
import type { ByteChannel } from "./byte-channel.ts";

/** `raw`: the bytes as they are, because a length was declared or the close ends them. */
export type OutgoingFraming = "chunked" | "raw";

/** Writes one body to a channel. */
export class BodyWriter implements BodySink {
  readonly #channel: ByteChannel;
  readonly #framing: OutgoingFraming;
  #bytes = 0;

  constructor(channel: ByteChannel, framing: OutgoingFraming) {
    this.#channel = channel;
    this.#framing = framing;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(data: Buffer): Promise<void> | undefined {
    if (data.length === 0) return undefined;
    this.#bytes += data.length;
    if (this.#framing === "raw") return this.#channel.write(data);
    return this.#channel.corked(() => {
      this.#channel.write(chunkStart(data.length));
      const blocked = this.#channel.write(data);
      return this.#channel.write(chunkEnd) ?? blocked;
    });
  }

  /** With chunked framing, the parts become one chunk. */
  writeTogether(parts: readonly Buffer[]): Promise<void> | undefined {
    const [only] = parts;
    if (parts.length <= 1) return only === undefined ? undefined : this.write(only);
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    if (bytes === 0) return undefined;
    this.#bytes += bytes;
    return this.#channel.corked(() => {
      if (this.#framing === "chunked") this.#channel.write(chunkStart(bytes));
      let blocked: Promise<void> | undefined;
      for (const part of parts) blocked = this.#channel.write(part) ?? blocked;
      return (this.#framing === "chunked" ? this.#channel.write(chunkEnd) : undefined) ?? blocked;
    });
  }

  /** Trailers go out only with chunked framing. */
  end(trailers: readonly Field[]): Promise<void> | undefined {
    return this.#framing === "chunked" ? this.#channel.write(chunkedEnd(trailers)) : undefined;
  }
}

/** Returns the line before a chunk of this many bytes. */
export function chunkStart(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** The line after a chunk's data. */
export const chunkEnd = "\r\n";

/** Returns the last chunk and the trailer section. */
export function chunkedEnd(trailers: readonly Field[]): string {
  let text = "0\r\n";
  for (const field of trailers) {
    if (!isForbiddenTrailer(field.lowerName)) text += `${field.name}: ${field.value}\r\n`;
  }
  return `${text}\r\n`;
}
