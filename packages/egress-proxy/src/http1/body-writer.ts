import type { ByteChannel } from "./byte-channel.ts";
import { chunkEnd, chunkedEnd, chunkStart } from "./chunked-encoding.ts";
import type { Field } from "./fields.ts";

/** `raw`: the octets as they are, because a length was declared or the close ends them. */
export type OutgoingFraming = "chunked" | "raw";

/** Writes one body to a channel, with back-pressure. */
export class BodyWriter {
  readonly #channel: ByteChannel;
  readonly #framing: OutgoingFraming;
  #octets = 0;

  constructor(channel: ByteChannel, framing: OutgoingFraming) {
    this.#channel = channel;
    this.#framing = framing;
  }

  /** Body octets written so far, without framing. */
  get octets(): number {
    return this.#octets;
  }

  /** Writes data; answers a promise when the caller has to wait before writing more. */
  write(data: Buffer): Promise<void> | undefined {
    if (data.length === 0) return undefined;
    this.#octets += data.length;
    if (this.#framing === "raw") return this.#channel.write(data);
    return this.#channel.corked(() => {
      this.#channel.write(chunkStart(data.length));
      const blocked = this.#channel.write(data);
      return this.#channel.write(chunkEnd) ?? blocked;
    });
  }

  /** Writes these parts as one: with chunked framing, as one chunk. */
  writeTogether(parts: readonly Buffer[]): Promise<void> | undefined {
    const [only] = parts;
    if (parts.length <= 1) return only === undefined ? undefined : this.write(only);
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    if (bytes === 0) return undefined;
    this.#octets += bytes;
    return this.#channel.corked(() => {
      if (this.#framing === "chunked") this.#channel.write(chunkStart(bytes));
      let blocked: Promise<void> | undefined;
      for (const part of parts) blocked = this.#channel.write(part) ?? blocked;
      return (this.#framing === "chunked" ? this.#channel.write(chunkEnd) : undefined) ?? blocked;
    });
  }

  /** Ends the body. Trailers go out only with chunked framing. */
  end(trailers: readonly Field[]): Promise<void> | undefined {
    return this.#framing === "chunked" ? this.#channel.write(chunkedEnd(trailers)) : undefined;
  }
}
