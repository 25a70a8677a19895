import { StreamRedactor } from "../../redaction/stream-redactor.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import { Refusal } from "../failure/refusal.ts";

const prefixBytes = 5;
const isCompressed = 1;
const isTrailers = 0x80;

/**
 * Passes the messages of a gRPC body on unchanged, each part once it was
 * searched. A message is complete without what follows it, so nothing is held
 * beyond its end: the other side may wait for it before it sends the next one.
 *
 * A message that holds a value cannot be redacted, because lengths inside of it
 * are binary; it ends the body with a {@link Refusal}, and so does one that is
 * compressed, which could hide a value.
 */
export class GrpcMessages {
  readonly #host: string;
  readonly #flagsMax: number;
  readonly #redactor: StreamRedactor;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixBytes = 0;
  /** Bytes of the present message that are still to come. */
  #remaining = 0;
  #holdsValue = false;
  #count = 0;

  constructor(
    framing: "grpc" | "grpc-web",
    host: string,
    search: () => ValueSearch | undefined,
    onFound: (name: string) => void,
  ) {
    this.#host = host;
    this.#flagsMax = framing === "grpc-web" ? isTrailers : 0;
    this.#redactor = new StreamRedactor(search, (name) => {
      this.#holdsValue = true;
      onFound(name);
    });
  }

  /** How many messages have ended. */
  get count(): number {
    return this.#count;
  }

  /**
   * Returns what may be sent on, now that these bytes have arrived.
   *
   * @throws {Refusal}
   */
  push(arrived: Buffer): readonly Buffer[] {
    const leaving: Buffer[] = [];
    for (let at = 0; at < arrived.length; ) {
      const wanted = this.#inPrefix ? prefixBytes - this.#prefixBytes : this.#remaining;
      const part = arrived.subarray(at, at + wanted);
      at += part.length;
      if (this.#inPrefix) this.#readPrefix(part);
      else this.#remaining -= part.length;
      leaving.push(...this.#redactor.push(part));
      if (!this.#inPrefix && this.#remaining === 0) {
        leaving.push(...this.#redactor.end());
        this.#prefixBytes = 0;
        this.#count += 1;
      }
    }
    this.#refuseValue();
    return leaving;
  }

  /**
   * Returns what was held back of a message that was cut short.
   *
   * @throws {Refusal}
   */
  end(): readonly Buffer[] {
    const leaving = this.#redactor.end();
    this.#refuseValue();
    return leaving;
  }

  get #inPrefix(): boolean {
    return this.#prefixBytes < prefixBytes;
  }

  #readPrefix(part: Buffer): void {
    part.copy(this.#prefix, this.#prefixBytes);
    this.#prefixBytes += part.length;
    if (this.#inPrefix) return;
    const flags = this.#prefix[0] ?? 0;
    if ((flags & isCompressed) !== 0) {
      throw new Refusal(
        "content_coding_not_supported",
        `${this.#host} sent a compressed gRPC message, although none was asked for; it cannot be searched for secret values and is not passed on`,
        { wasAllowed: true },
      );
    }
    if (flags !== 0 && flags !== this.#flagsMax) {
      throw new Refusal(
        "upstream_malformed",
        `${this.#host} sent a body that is not framed as gRPC, which its Content-Type names; it is not passed on`,
        { wasAllowed: true },
      );
    }
    this.#remaining = this.#prefix.readUInt32BE(1);
  }

  #refuseValue(): void {
    if (!this.#holdsValue) return;
    throw new Refusal(
      "value_in_grpc_message",
      `${this.#host} sent a gRPC message that holds the value of a secret; it is not passed on`,
      { wasAllowed: true },
    );
  }
}
