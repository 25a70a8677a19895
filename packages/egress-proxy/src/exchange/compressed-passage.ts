import { StreamRedactor } from "../redaction/stream-redactor.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import {
  type BodySource,
  type ContentCoding,
  createDecoder,
  type Decoder,
  zstdDecompress,
} from "./content-decoding.ts";
import { Refusal } from "./refusal.ts";

const magics: readonly (readonly [ContentCoding, Buffer])[] = [
  // With the one compression method that there is.
  ["gzip", Buffer.from([0x1f, 0x8b, 0x08])],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];

/** What a body that names no coding is compressed with, by its first bytes (RFC 1952, RFC 8878). */
export function compressionOf(beginning: Buffer): ContentCoding | undefined {
  if (isSkippableFrame(beginning)) return "zstd";
  for (const [coding, magic] of magics) if (beginsWith(beginning, magic)) return coding;
  return undefined;
}

function beginsWith(bytes: Buffer, beginning: Buffer): boolean {
  for (let at = 0; at < beginning.length; at += 1) if (bytes[at] !== beginning[at]) return false;
  return true;
}

/** zstd may begin with a frame that holds anything (RFC 8878 §3.1.2). */
function isSkippableFrame(beginning: Buffer): boolean {
  return beginning.length >= 4 && beginning.readUInt32LE(0) >>> 4 === 0x0184d2a5;
}

/** Whether further bytes could make these the beginning of a compressed body. */
export function mayBeCompressed(beginning: Buffer): boolean {
  if (beginning.length > 0 && beginning.length < 4 && ((beginning[0] ?? 0) & 0xf0) === 0x50) {
    const rest = Buffer.from([0x2a, 0x4d]).subarray(0, beginning.length - 1);
    if (beginning.subarray(1).equals(rest)) return true;
  }
  return magics.some(
    ([, magic]) =>
      beginning.length < magic.length && magic.subarray(0, beginning.length).equals(beginning),
  );
}

interface WaitingPart {
  readonly bytes: Buffer;
  readonly sourceEnd: number;
  readonly decodedEnd: number;
}

/**
 * What may wait to be searched. The search holds at most 2 MiB of decoded
 * text; more compressed data than this for less text is made to fill memory.
 */
const waitingBytesMax = 4 * 1024 * 1024;

/** From so much decoded text on, compressed data that grows more than this is made to keep the search busy. */
const decodedBytesFree = 64 * 1024 * 1024;
const growthMax = 250;

/**
 * Passes a compressed body on as it came, each part when what it decodes to
 * has been searched: an archive that is downloaded keeps its bytes. A body
 * that holds a value cannot be mended; it ends with a {@link Refusal}. So does
 * one that does not decode: of a part with an error in it the decoder gives
 * nothing, and a more patient one all that is before the error. One that is
 * only cut short passes, and zero bytes after its end do.
 */
export class CompressedPassage {
  readonly #decoder: Decoder;
  readonly #host: string;
  readonly #source: StreamRedactor;
  readonly #decoded: StreamRedactor;
  #sourceBytes = 0;
  #decodedBytes = 0;
  #holdsValue = false;
  #broken = false;
  #decodesNoMore = false;
  #closed = false;
  #wake: (() => void) | undefined;
  #ended = false;
  #waiting: WaitingPart[] = [];
  #waitingBytes = 0;

  /** @throws {Refusal} for a coding that this Node cannot decode. */
  constructor(
    coding: ContentCoding,
    host: string,
    search: () => ValueSearch | undefined,
    onRedacted: (name: string) => void,
  ) {
    if (coding === "zstd" && zstdDecompress() === undefined) {
      throw new Refusal(
        "content_coding_not_supported",
        `${host} responded with zstd data, which cannot be searched for secret values here; it is not passed on`,
        { wasAllowed: true },
      );
    }
    this.#host = host;
    const onFound = (name: string) => {
      this.#holdsValue = true;
      onRedacted(name);
    };
    this.#source = new StreamRedactor(search, onFound);
    this.#decoded = new StreamRedactor(search, onFound);
    this.#decoder = createDecoder(coding, Buffer.alloc(0));
    this.#decoder.on("data", (data: Buffer) => {
      this.#decodedBytes += data.length;
      this.#decoded.push(data);
    });
    this.#decoder.on("error", () => {
      // Once the source has ended, all that it can be is cut short.
      this.#broken = !this.#ended;
    });
    this.#decoder.on("end", () => {
      this.#decodesNoMore = true;
    });
    // A write that meets an error never calls back.
    this.#decoder.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /**
   * What may leave after the next parts of the source; null when all has left.
   *
   * @throws {Refusal} for a body that holds a value, or does not decode
   */
  async next(source: BodySource): Promise<readonly Buffer[] | null> {
    if (this.#ended) return null;
    const data = await source.read();
    this.#ended = data === null;
    if (data === null) await this.#end();
    else for (const part of data) await this.#push(part);
    if (this.#holdsValue) {
      throw new Refusal(
        "value_in_compressed_body",
        `${this.#host} responded with compressed data that holds the value of a secret; it is not passed on`,
        { wasAllowed: true },
      );
    }
    const decodedBytesMax = decodedBytesFree + growthMax * this.#sourceBytes;
    if (
      this.#broken ||
      this.#waitingBytes > waitingBytesMax ||
      this.#decodedBytes > decodedBytesMax
    ) {
      throw new Refusal(
        "content_coding_invalid",
        `${this.#host} responded with compressed data that does not decode, so it cannot be searched for secret values; it is not passed on`,
        { wasAllowed: true },
      );
    }
    return this.#leaving();
  }

  /** Frees the decoder; to be called however the body ends. */
  close(): void {
    this.#decoder.destroy();
  }

  async #push(part: Buffer): Promise<void> {
    this.#sourceBytes += part.length;
    this.#source.push(part);
    if (!this.#decodesNoMore) await this.#untilDone((done) => this.#decoder.write(part, done));
    if (this.#decodesNoMore && !this.#isPadded(part)) this.#broken = true;
    this.#waiting.push({
      bytes: part,
      sourceEnd: this.#sourceBytes,
      decodedEnd: this.#decodedBytes,
    });
    this.#waitingBytes += part.length;
  }

  /** Whether the part has only zero bytes after the end of what was compressed: gzip allows them. */
  #isPadded(part: Buffer): boolean {
    const after = Math.min(part.length, this.#sourceBytes - this.#decoder.bytesWritten);
    return part.subarray(part.length - after).every((byte) => byte === 0);
  }

  async #end(): Promise<void> {
    if (!this.#decodesNoMore) {
      await this.#untilDone((done) => {
        this.#decoder.once("end", done);
        this.#decoder.end();
      });
    }
    this.#source.end();
    this.#decoded.end();
  }

  async #untilDone(work: (done: () => void) => void): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      work(resolve);
    });
  }

  /**
   * The parts of which all has been searched, and something that follows: a
   * part that decodes to nothing yet may describe what follows.
   */
  #leaving(): readonly Buffer[] {
    if (this.#ended) return this.#waiting.splice(0).map(({ bytes }) => bytes);
    const sourceSearched = this.#sourceBytes - this.#source.heldBytes;
    const decodedSearched = this.#decodedBytes - this.#decoded.heldBytes;
    const stays = this.#waiting.findIndex(
      ({ sourceEnd, decodedEnd }) => sourceEnd > sourceSearched || decodedEnd >= decodedSearched,
    );
    const leaving = this.#waiting.splice(0, stays === -1 ? this.#waiting.length : stays);
    for (const { bytes } of leaving) this.#waitingBytes -= bytes.length;
    return leaving.map(({ bytes }) => bytes);
  }
}
