import type { ByteChannel } from "./byte-channel.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import type { Field } from "./fields.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { Framing } from "./message-framing.ts";

/** Sees the data of a body as it is read. */
export interface BodyWatch {
  onData(part: Buffer): void;
  onEnd(): void;
}

/**
 * Reads one body from a channel by pulling, and leaves what follows it there.
 *
 * A body that ends too early is an error, never an end: `HttpSyntaxError`
 * with the fault `truncated`, or `ChannelLostError`.
 */
export class BodyReader {
  readonly #channel: ByteChannel;
  readonly #framing: Framing;
  readonly #chunked: ChunkedDecoder | undefined;
  #remaining: number;
  #complete: boolean;
  #octets = 0;
  #watch: BodyWatch | undefined;

  /** `readTrailerLine` sees each line of a trailer section before it is parsed, and may change it. */
  constructor(channel: ByteChannel, framing: Framing, readTrailerLine?: (line: string) => string) {
    this.#channel = channel;
    this.#framing = framing;
    this.#chunked = framing.kind === "chunked" ? new ChunkedDecoder(readTrailerLine) : undefined;
    this.#remaining = framing.kind === "length" ? framing.length : 0;
    this.#complete = framing.kind === "none";
  }

  /** Whether the end of the body has been read. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Body octets read so far, without framing. */
  get octets(): number {
    return this.#octets;
  }

  /** Lets `watch` see all data from now on, and the end when it has come. */
  watch(watch: BodyWatch): void {
    this.#watch = watch;
  }

  /** Trailer fields, once complete. */
  get trailers(): readonly Field[] {
    return this.#chunked?.trailers ?? [];
  }

  /**
   * The data of the next arrival, which may be none; null once complete.
   *
   * @throws {HttpSyntaxError}
   * @throws {ChannelLostError}
   */
  async read(): Promise<readonly Buffer[] | null> {
    if (this.#complete) return null;
    const arrived = this.#channel.take() ?? (await this.#channel.read());
    if (arrived === null) return this.#endOfChannel();
    const data: Buffer[] = [];
    if (this.#chunked !== undefined) {
      const end = this.#chunked.push(arrived, 0, data);
      this.#complete = this.#chunked.done;
      if (end < arrived.length) this.#channel.unread(arrived.subarray(end));
    } else if (this.#framing.kind === "length") {
      const end = Math.min(arrived.length, this.#remaining);
      data.push(arrived.subarray(0, end));
      this.#remaining -= end;
      this.#complete = this.#remaining === 0;
      if (end < arrived.length) this.#channel.unread(arrived.subarray(end));
    } else {
      data.push(arrived);
    }
    for (const part of data) {
      this.#octets += part.length;
      this.#watch?.onData(part);
    }
    if (this.#complete) this.#watch?.onEnd();
    return data;
  }

  /** All of a body of a declared length, when it has arrived already in one piece. */
  takeWhole(): Buffer | undefined {
    if (this.#framing.kind !== "length" || this.#octets > 0) return undefined;
    const whole = this.#channel.takeExactly(this.#framing.length);
    if (whole === undefined) return undefined;
    this.#octets = whole.length;
    this.#remaining = 0;
    this.#complete = true;
    this.#watch?.onData(whole);
    this.#watch?.onEnd();
    return whole;
  }

  #endOfChannel(): null {
    if (this.#framing.kind !== "until_close") {
      throw new HttpSyntaxError("truncated", "the connection ended inside a body");
    }
    this.#complete = true;
    return null;
  }
}

/** Reads the rest of a body, which the caller knows to be bounded. */
export async function readWhole(body: BodyReader): Promise<Buffer> {
  const parts: Buffer[] = [];
  while (!body.complete) {
    const data = await body.read();
    if (data !== null) parts.push(...data);
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
