import type { Http2Stream } from "node:http2";
import type { BodySink } from "../http/body-sink.ts";
import type { Field } from "../http/fields.ts";
import { isForbiddenTrailer } from "../http/forbidden-trailers.ts";
import { joined } from "../http/incoming-body.ts";
import type { FrameOverhead } from "./frame-overhead.ts";
import { headersOf } from "./write-fields.ts";

/** Writes the body of one message to a stream, which was opened to wait for trailers. */
export class StreamWriter implements BodySink {
  readonly #stream: Http2Stream;
  readonly #overhead: FrameOverhead;
  #bytes = 0;
  #trailers: readonly Field[] = [];
  #waiting: (() => void)[] = [];

  constructor(stream: Http2Stream, overhead: FrameOverhead, onActivity: () => void) {
    this.#stream = stream;
    this.#overhead = overhead;
    const wake = (): void => {
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    stream.on("drain", () => {
      onActivity();
      wake();
    });
    stream.on("close", wake);
    stream.on("wantTrailers", () => this.#sendTrailers());
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(data: Buffer): Promise<void> | undefined {
    if (data.length === 0 || !this.#stream.writable) return undefined;
    this.#bytes += data.length;
    this.#overhead.carry(data.length);
    if (this.#stream.write(data)) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  writeTogether(parts: readonly Buffer[]): Promise<void> | undefined {
    return parts.length === 0 ? undefined : this.write(joined(parts));
  }

  end(trailers: readonly Field[]): undefined {
    this.#trailers = trailers;
    if (this.#stream.writable) this.#stream.end();
    return undefined;
  }

  #sendTrailers(): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    const sent = this.#trailers.filter(({ lowerName }) => !isForbiddenTrailer(lowerName));
    this.#stream.sendTrailers(headersOf(sent));
  }
}
