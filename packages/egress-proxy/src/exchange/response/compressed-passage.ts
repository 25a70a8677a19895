import {
  type Compression,
  canDecodeZstd,
  codingWindowLogMax,
  createDecoder,
  type Decoder,
  decoderBytesMax,
} from "../../content-coding/create-decoder.ts";
import type { BodySource } from "../../content-coding/decode-body.ts";
import { zstdHeaderBytesMax, zstdWindowLog } from "../../content-coding/zstd-window.ts";
import { StreamRedactor } from "../../redaction/stream-redactor.ts";
import type { ValueSearch } from "../../redaction/value-search.ts";
import { Refusal } from "../failure/refusal.ts";
import type { DecoderReservation } from "./decoder-reservation.ts";

const magics: readonly (readonly [Compression, Buffer])[] = [
  // The third byte is deflate, the only compression method of gzip.
  ["gzip", Buffer.from([0x1f, 0x8b, 0x08])],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];

/** Returns the compression of a body without Content-Encoding, by its first bytes (RFC 1952, RFC 8878). */
export function compressionOf(beginning: Buffer): Compression | undefined {
  if (isSkippableFrame(beginning)) return "zstd";
  for (const [coding, magic] of magics) if (beginsWith(beginning, magic)) return coding;
  return undefined;
}

function beginsWith(bytes: Buffer, beginning: Buffer): boolean {
  for (let at = 0; at < beginning.length; at += 1) if (bytes[at] !== beginning[at]) return false;
  return true;
}

/** zstd may begin with a frame of arbitrary content (RFC 8878 §3.1.2). */
function isSkippableFrame(beginning: Buffer): boolean {
  return beginning.length >= 4 && beginning.readUInt32LE(0) >>> 4 === 0x0184d2a5;
}

/** Whether further bytes could make these the beginning of a compressed body, or tell the window that it needs. */
export function mayBeCompressed(beginning: Buffer): boolean {
  if (compressionOf(beginning) === "zstd") return beginning.length < zstdHeaderBytesMax;
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
 * Most compressed bytes that wait to be searched. The search holds back at most
 * 2 MiB of decoded text; more compressed data than this for less text is an
 * attempt to fill memory.
 */
const waitingBytesMax = 4 * 1024 * 1024;
/** What usually waits; what is beyond it is taken from the sandbox's budget. */
const waitingBytesFree = 256 * 1024;

/** The largest window of an archive, as of the zstd command line. */
const archiveWindowLogMax = 27;

/**
 * The window that an archive may take. Later frames may have larger windows than the
 * first one, as in image layers of one frame for each file, and all levels of zstd but
 * the highest stay within that of the content coding.
 */
function archiveWindowLog(beginning: Buffer): number {
  const stated = zstdWindowLog(beginning) ?? archiveWindowLogMax;
  return Math.min(Math.max(stated, codingWindowLogMax), archiveWindowLogMax);
}

/** Beyond this much decoded text, data that grows by more than `growthMax` is an attempt to keep the search busy. */
const decodedBytesFree = 64 * 1024 * 1024;
const growthMax = 250;

/**
 * Passes a compressed body on unchanged, each part once the text that it decodes
 * to was searched, so that a downloaded archive keeps its bytes. A body that
 * holds a value cannot be redacted; it ends with a {@link Refusal}. So does one
 * that does not decode: this decoder outputs nothing of a part with an error in
 * it, but a lenient one outputs all that is before the error. A truncated body
 * passes, and so do zero bytes after its end.
 */
export class CompressedPassage {
  readonly #decoder: Decoder;
  readonly #decoders: DecoderReservation;
  readonly #decoderBytes: number;
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

  /** @throws {Refusal} for a coding that this Node cannot decode, or that takes more memory than the sandbox has left. */
  constructor(
    {
      compression,
      beginning,
      decoders,
    }: {
      readonly compression: Compression;
      readonly beginning: Buffer;
      readonly decoders: DecoderReservation;
    },
    host: string,
    search: () => ValueSearch | undefined,
    onRedacted: (name: string) => void,
  ) {
    if (compression === "zstd" && !canDecodeZstd()) {
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
    const zstdWindowLogMax = archiveWindowLog(beginning);
    this.#decoderBytes =
      compression === "zstd" ? 2 ** zstdWindowLogMax : decoderBytesMax[compression];
    this.#decoders = decoders;
    decoders.raise(this.#decoderBytes);
    this.#decoder = createDecoder(compression, Buffer.alloc(0), { zstdWindowLogMax });
    this.#decoder.on("data", (data: Buffer) => {
      this.#decodedBytes += data.length;
      this.#decoded.push(data);
    });
    this.#decoder.on("error", () => {
      // After the end of the source, an error can only mean that it is truncated.
      this.#broken = !this.#ended;
    });
    this.#decoder.on("end", () => {
      this.#decodesNoMore = true;
    });
    // The callback of a write that fails is never called.
    this.#decoder.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /**
   * Resolves to what may be sent on after the next part of the source; null when all was sent.
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

  /** Frees the decoder. To be called however the body ends. */
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
    if (this.#waitingBytes > waitingBytesFree) {
      this.#decoders.raise(this.#decoderBytes + this.#waitingBytes);
    }
  }

  /** Whether the part has only zero bytes after the end of the compressed data: gzip allows them. */
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
   * Returns the parts that were searched completely, together with some text
   * after them: a part that decodes to nothing may describe what follows.
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
