import type { Field } from "../http/fields.ts";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import type { BodyWatch, IncomingBody } from "../http/incoming-body.ts";
import type { Framing } from "../http/message-heads.ts";
import type { ByteChannel } from "./byte-channel.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";

/** Reads one body from a channel on demand, and leaves there what follows it. */
export class BodyReader implements IncomingBody {
  readonly #channel: ByteChannel;
  readonly #framing: Framing;
  readonly #chunked: ChunkedDecoder | undefined;
  #remaining: number;
  #complete: boolean;
  #bytes = 0;
  #watch: BodyWatch | undefined;

  /** `readTrailerLine` sees each line of a trailer section before it is parsed, and may change it. */
  constructor(channel: ByteChannel, framing: Framing, readTrailerLine?: (line: string) => string) {
    this.#channel = channel;
    this.#framing = framing;
    this.#chunked = framing.kind === "chunked" ? new ChunkedDecoder(readTrailerLine) : undefined;
    this.#remaining = framing.kind === "length" ? framing.length : 0;
    this.#complete = framing.kind === "none";
  }

  get complete(): boolean {
    return this.#complete;
  }

  get bytes(): number {
    return this.#bytes;
  }

  watch(watch: BodyWatch): void {
    this.#watch = watch;
  }

  get trailers(): readonly Field[] {
    return this.#chunked?.trailers ?? [];
  }

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
      this.#bytes += part.length;
      this.#watch?.onData(part);
    }
    if (this.#complete) this.#watch?.onEnd();
    return data;
  }

  takeWhole(): Buffer | undefined {
    if (this.#framing.kind !== "length" || this.#bytes > 0) return undefined;
    const whole = this.#channel.takeExactly(this.#framing.length);
    if (whole === undefined) return undefined;
    this.#bytes = whole.length;
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
