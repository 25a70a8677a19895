import { inspect } from "node:util";

/** What every secret has besides its values. */
interface NamedSecret {
  readonly name: string;
  readonly allowedHosts: readonly string[];
  readonly substituteIn: readonly string[];
}

/**
 * A secret whose values can only be read deliberately. A subclass keeps them in private
 * fields: they are not own properties, so printing, spreading, cloning and JSON leave them out.
 */
export abstract class UnprintedSecret {
  readonly name: string;
  readonly allowedHosts: string[];
  readonly substituteIn: string[];

  constructor({ name, allowedHosts, substituteIn }: NamedSecret) {
    this.name = name;
    this.allowedHosts = [...allowedHosts];
    this.substituteIn = [...substituteIn];
    Object.freeze(this.allowedHosts);
    Object.freeze(this.substituteIn);
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
