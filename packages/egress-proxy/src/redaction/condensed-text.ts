/** A byte between stretches, which no form of a value has. */
const separator = 0x01;
/** Length from which a block copy is faster than a loop over bytes. */
const blockCopyBytesMin = 64;

/**
 * A text reduced to the stretches in which a form of a value of class `token` can
 * occur. No such form extends across a byte that is not in `inForms`, escaped or
 * not, and none is shorter than `bytesMin`, so a search finds the same in the
 * stretches as in the text. Which stretches these are depends only on the text
 * and on these public facts.
 *
 * The memory is reused for each text.
 */
export class CondensedText {
  #bytes = new Uint8Array(0);
  /** The beginning of each stretch, in the condensed bytes and in the text. */
  #begins = new Int32Array(0);
  #origins = new Int32Array(0);
  #stretches = 0;

  /** Condenses the text. The result is valid until the next call. */
  read(text: Uint8Array, inForms: Uint8Array, bytesMin: number): Uint8Array {
    this.#ensure(text.length, bytesMin);
    this.#stretches = 0;
    let length = 0;
    for (let from = nextStretch(text, 0, inForms, bytesMin); from !== -1; ) {
      const to = stretchEnd(text, from + bytesMin, inForms);
      this.#begins[this.#stretches] = length;
      this.#origins[this.#stretches] = from;
      this.#stretches += 1;
      if (to - from === text.length) return text;
      this.#append(text, from, to, length);
      length += to - from + 1;
      from = nextStretch(text, to + 1, inForms, bytesMin);
    }
    return this.#bytes.subarray(0, length);
  }

  /** Returns the position in the text of a condensed byte. */
  placeOf(at: number): number {
    let low = 0;
    let high = this.#stretches - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#begins[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return at - (this.#begins[low] as number) + (this.#origins[low] as number);
  }

  #ensure(textBytes: number, bytesMin: number): void {
    const stretchesMax = Math.floor(textBytes / bytesMin) + 1;
    if (this.#bytes.length <= textBytes) this.#bytes = new Uint8Array(2 * textBytes + 4096);
    if (this.#begins.length >= stretchesMax) return;
    this.#begins = new Int32Array(2 * stretchesMax);
    this.#origins = new Int32Array(2 * stretchesMax);
  }

  #append(text: Uint8Array, from: number, to: number, length: number): void {
    const bytes = this.#bytes;
    if (to - from >= blockCopyBytesMin) bytes.set(text.subarray(from, to), length);
    else for (let at = from; at < to; at += 1) bytes[length + at - from] = text[at] as number;
    bytes[length + to - from] = separator;
  }
}

/**
 * Returns where the first stretch of `bytesMin` bytes at or after `from` begins;
 * -1 when there is none. Stretches are checked from their ends, so that in most
 * texts only one byte in five is read.
 */
function nextStretch(
  text: Uint8Array,
  from: number,
  inForms: Uint8Array,
  bytesMin: number,
): number {
  let start = from;
  let checkedUpTo = from;
  while (start + bytesMin <= text.length) {
    const end = start + bytesMin;
    let at = end - 1;
    while (at >= checkedUpTo && inForms[text[at] as number] === 1) at -= 1;
    if (at < checkedUpTo) return start;
    start = at + 1;
    checkedUpTo = end;
  }
  return -1;
}

/** Returns where a stretch ends that extends to `from` at least. */
function stretchEnd(text: Uint8Array, from: number, inForms: Uint8Array): number {
  let end = from;
  while (end < text.length && inForms[text[end] as number] === 1) end += 1;
  return end;
}
