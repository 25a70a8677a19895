import { Refusal } from "../failure/refusal.ts";
import type { BodyBudget } from "../state/body-budgets.ts";

/** What the decoders of one response take of what those of all responses of a sandbox may. */
export class DecoderReservation {
  readonly #budget: BodyBudget;
  readonly #host: string;
  #bytes = 0;

  constructor(budget: BodyBudget, host: string) {
    this.#budget = budget;
    this.#host = host;
  }

  /**
   * Takes as much as makes it so many bytes in all.
   *
   * @throws {Refusal} when the sandbox has not as much left
   */
  raise(bytes: number): void {
    if (bytes <= this.#bytes) return;
    if (!this.#budget.tryTake(bytes - this.#bytes)) {
      throw new Refusal(
        "compressed_responses_too_many",
        `${this.#host} responded with compressed data while the sandbox receives too many other compressed responses to decode one more: receive fewer at a time`,
        { wasAllowed: true },
      );
    }
    this.#bytes = bytes;
  }

  /** Gives all of it back. */
  release(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}
