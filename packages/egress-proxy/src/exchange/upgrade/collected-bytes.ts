import type { BodyBudget } from "../state/body-budgets.ts";

const capacityMin = 512;

/**
 * Collects bytes up to a bound, within a sandbox's budget. They are copied: a
 * few bytes of an arrival would keep all of it in memory.
 */
export class CollectedBytes {
  readonly #bytesMax: number;
  readonly #budget: BodyBudget;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(bytesMax: number, budget: BodyBudget) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
  }

  /** Adds bytes. Returns false, and adds none, when there is no room for them. */
  add(bytes: Buffer): boolean {
    const length = this.#length + bytes.length;
    if (length > this.#bytesMax || (length > this.#buffer.length && !this.#grow(length))) {
      return false;
    }
    bytes.copy(this.#buffer, this.#length);
    this.#length = length;
    return true;
  }

  /** Returns what was collected, and gives its room back. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#budget.give(this.#buffer.length);
    this.#buffer = Buffer.alloc(0);
    this.#length = 0;
    return bytes;
  }

  #grow(length: number): boolean {
    const capacity = Math.max(capacityMin, 2 ** Math.ceil(Math.log2(length)));
    if (!this.#budget.tryTake(capacity - this.#buffer.length)) return false;
    const grown = Buffer.allocUnsafe(capacity);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    return true;
  }
}
