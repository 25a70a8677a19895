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

  /** Ends the body. Trailers go out only with chunked framing. */
  end(trailers: readonly Field[]): Promise<void> | undefined {
    return this.#framing === "chunked" ? this.#channel.write(chunkedEnd(trailers)) : undefined;
  }
}
