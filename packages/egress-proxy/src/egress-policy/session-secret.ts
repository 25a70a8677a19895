import type { EgressSecret } from "@opencomputer/protocol/wire";
import { UnprintedSecret } from "../logging/unprinted-secret.ts";

/** A secret of a session: its token, and the value that this stands for. */
export class SessionSecret extends UnprintedSecret implements EgressSecret {
  readonly token: string;
  readonly #value: string;

  constructor(secret: EgressSecret) {
    super(secret);
    this.token = secret.token;
    this.#value = secret.value;
    Object.freeze(this);
  }

  get value(): string {
    return this.#value;
  }
}
