import { inspect } from "node:util";

const placeholder = "[secret]";

/**
 * A secret in the clear. It prints as `[secret]` however it is printed;
 * `reveal` is called in the vault and in the hand-over to the proxy, nowhere
 * else, so a search for it is the audit.
 */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
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
