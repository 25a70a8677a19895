import { inspect } from "node:util";
import type { EgressSecret } from "@opencomputer/protocol/wire";

/**
 * A secret whose value can only be read deliberately: it is not an own
 * property, so printing, spreading, cloning and JSON leave it out.
 */
export class SessionSecret implements EgressSecret {
  readonly name: string;
  readonly token: string;
  readonly allowedHosts: string[];
  readonly substituteIn: string[];
  readonly #value: string;

  constructor(secret: EgressSecret) {
    this.name = secret.name;
    this.token = secret.token;
    this.allowedHosts = [...secret.allowedHosts];
    this.substituteIn = [...secret.substituteIn];
    this.#value = secret.value;
    Object.freeze(this.allowedHosts);
    Object.freeze(this.substituteIn);
    Object.freeze(this);
  }

  get value(): string {
    return this.#value;
  }

  toJSON(): Record<string, unknown> {
    const { name, allowedHosts, substituteIn } = this;
    return { name, allowedHosts, substituteIn, value: "[secret]" };
  }

  toString(): string {
    return `[secret ${this.name}]`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
