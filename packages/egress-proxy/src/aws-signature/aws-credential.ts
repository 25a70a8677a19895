import { inspect } from "node:util";
import type { AwsEgressSecret } from "@opencomputer/protocol/wire";
import { type CredentialScope, signingKey } from "./credential-scope.ts";

/**
 * An AWS secret of a session: the tokens that a guest signs with, and the
 * credentials that they stand for. Values can only be read deliberately: they
 * are not own properties, so printing, spreading, cloning and JSON leave them out.
 */
export class AwsCredential {
  readonly name: string;
  readonly allowedHosts: readonly string[];
  readonly substituteIn: readonly string[];
  /** What the guest has for the access key id. */
  readonly accessKeyIdToken: string;
  readonly secretAccessKeyToken: string;
  readonly sessionTokenToken: string;
  readonly #accessKeyId: string;
  readonly #secretAccessKey: string;
  readonly #sessionToken: string | undefined;

  constructor(secret: AwsEgressSecret) {
    this.name = secret.name;
    this.allowedHosts = Object.freeze([...secret.allowedHosts]);
    this.substituteIn = Object.freeze([...secret.substituteIn]);
    this.accessKeyIdToken = secret.accessKeyId.token;
    this.secretAccessKeyToken = secret.secretAccessKey.token;
    this.sessionTokenToken = secret.sessionToken.token;
    this.#accessKeyId = secret.accessKeyId.value;
    this.#secretAccessKey = secret.secretAccessKey.value;
    this.#sessionToken = secret.sessionToken.value ?? undefined;
    Object.freeze(this);
  }

  get tokens(): readonly string[] {
    return [this.accessKeyIdToken, this.secretAccessKeyToken, this.sessionTokenToken];
  }

  get accessKeyId(): string {
    return this.#accessKeyId;
  }

  /** Undefined for long-term credentials. */
  get sessionToken(): string | undefined {
    return this.#sessionToken;
  }

  /** Every value with the token that replaces it in responses. */
  get searchedValues(): { name: string; token: string; value: string }[] {
    const { name } = this;
    return [
      { name, token: this.accessKeyIdToken, value: this.#accessKeyId },
      { name, token: this.secretAccessKeyToken, value: this.#secretAccessKey },
      ...(this.#sessionToken === undefined
        ? []
        : [{ name, token: this.sessionTokenToken, value: this.#sessionToken }]),
    ];
  }

  /** The key that the guest's signature is made with. */
  guestKey(scope: CredentialScope): Buffer {
    return signingKey(this.secretAccessKeyToken, scope);
  }

  /** The key that the upstream verifies with. */
  upstreamKey(scope: CredentialScope): Buffer {
    return signingKey(this.#secretAccessKey, scope);
  }

  /** Whether it is the same token with the same values. */
  equals(other: AwsCredential): boolean {
    return (
      this.accessKeyIdToken === other.accessKeyIdToken &&
      this.#accessKeyId === other.#accessKeyId &&
      this.#secretAccessKey === other.#secretAccessKey &&
      this.#sessionToken === other.#sessionToken
    );
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
