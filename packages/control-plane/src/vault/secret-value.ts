import { timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";
import { searchedParts } from "@opencomputer/protocol/wire";

const placeholder = "[secret]";

/**
 * A secret in plaintext. It prints as `[secret]` however it is printed;
 * `reveal` is called in the vault, in the hand-over to the proxy and for the signing
 * secrets of webhooks, nowhere else, so a search for it is the audit. What others have to know of a value
 * is computed here.
 */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  /** Whether it can be guessed, so that it is not searched for in responses. */
  get isGuessable(): boolean {
    return searchedParts(this.#text).length === 0;
  }

  equals(other: SecretValue): boolean {
    const [own, others] = [Buffer.from(this.#text), Buffer.from(other.#text)];
    return own.length === others.length && timingSafeEqual(own, others);
  }

  toString(): string {
    return placeholder;
  }

  toJSON(): string {
    return placeholder;
  }

  [inspect.custom](): string {
    return placeholder;
  }
}
