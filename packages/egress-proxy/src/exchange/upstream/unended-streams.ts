import { type ClientHttp2Stream, constants } from "node:http2";
import { serviceLimits } from "@opencomputer/protocol/wire";

/**
 * The streams of one connection whose exchange is over although the upstream has not
 * ended them, as after a response to HEAD whose end is a frame of its own. The end
 * usually arrives with the next segment; one that does not come is not waited for.
 */
export class UnendedStreams {
  readonly #graceMilliseconds: number;
  #count = 0;

  constructor(options: { readonly graceMilliseconds?: number } = {}) {
    this.#graceMilliseconds = options.graceMilliseconds ?? 1000;
  }

  /** Resets the stream unless it ends soon, and at once when too many others are waited for. */
  add(stream: ClientHttp2Stream): void {
    if (stream.destroyed || stream.closed) return;
    const reset = (): void => stream.close(constants.NGHTTP2_CANCEL);
    if (this.#count >= serviceLimits.http2StreamsPerConnectionMax) {
      reset();
      return;
    }
    this.#count += 1;
    const timer = setTimeout(reset, this.#graceMilliseconds);
    stream.once("close", () => {
      clearTimeout(timer);
      this.#count -= 1;
    });
  }
}
