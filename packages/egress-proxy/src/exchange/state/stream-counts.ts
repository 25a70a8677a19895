/** Bounds the streams that one sandbox has open at a time, over all its connections. */
export class StreamCounts {
  readonly #perAddressMax: number;
  readonly #open = new Map<string, number>();

  constructor(options: { perAddressMax: number }) {
    this.#perAddressMax = options.perAddressMax;
  }

  /** Counts a stream if the address may have one more. The caller has to give it back. */
  tryTake(sourceAddress: string): boolean {
    const open = this.#open.get(sourceAddress) ?? 0;
    if (open >= this.#perAddressMax) return false;
    this.#open.set(sourceAddress, open + 1);
    return true;
  }

  give(sourceAddress: string): void {
    const open = (this.#open.get(sourceAddress) ?? 0) - 1;
    if (open > 0) this.#open.set(sourceAddress, open);
    else this.#open.delete(sourceAddress);
  }
}
