import { randomFillSync } from "node:crypto";

const keyBytes = 4;
/** Random bytes are drawn in blocks: one call of the generator a frame costs more than a small frame. */
const randomBlockBytes = 512;
/** Fewest bytes for which a view of words saves more than it costs. */
const wordwiseBytesMin = 32;

/** Masking keys that no sender of payload can predict (RFC 6455 §5.3). */
export class MaskingKeys {
  readonly #block = Buffer.alloc(randomBlockBytes);
  #taken = randomBlockBytes;

  /** Writes a fresh key at `at`. */
  writeNext(target: Buffer, at: number): void {
    if (this.#taken === randomBlockBytes) {
      randomFillSync(this.#block);
      this.#taken = 0;
    }
    this.#block.copy(target, at, this.#taken, this.#taken + keyBytes);
    this.#block.fill(0, this.#taken, this.#taken + keyBytes);
    this.#taken += keyBytes;
  }
}

/**
 * Masks or unmasks `bytes` in place (RFC 6455 §5.3). `phase` is how many bytes
 * of the frame's payload come before them.
 */
export function applyMask(bytes: Buffer, key: Buffer, phase: number): void {
  if (bytes.length < wordwiseBytesMin) {
    applyBytewise(bytes, key, phase, 0, bytes.length);
    return;
  }
  const wordsFrom = (keyBytes - (bytes.byteOffset % keyBytes)) % keyBytes;
  const wordCount = Math.floor((bytes.length - wordsFrom) / keyBytes);
  const wordsEnd = wordsFrom + wordCount * keyBytes;
  applyBytewise(bytes, key, phase, 0, wordsFrom);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + wordsFrom, wordCount);
  const keyWord = rotatedKeyWord(key, phase + wordsFrom);
  for (let at = 0; at < wordCount; at += 1) words[at] = (words[at] ?? 0) ^ keyWord;
  applyBytewise(bytes, key, phase, wordsEnd, bytes.length);
}

function applyBytewise(bytes: Buffer, key: Buffer, phase: number, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    bytes[at] = (bytes[at] ?? 0) ^ (key[(phase + at) % keyBytes] ?? 0);
  }
}

/** The key as a word in the machine's byte order, beginning with the byte for `phase`. */
function rotatedKeyWord(key: Buffer, phase: number): number {
  const rotated = new Uint8Array(keyBytes);
  for (let at = 0; at < keyBytes; at += 1) rotated[at] = key[(phase + at) % keyBytes] ?? 0;
  return new Uint32Array(rotated.buffer)[0] ?? 0;
}
