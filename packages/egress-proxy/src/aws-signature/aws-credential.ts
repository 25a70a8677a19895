import type { AwsEgressSecret } from "@opencomputer/protocol/wire";
import { UnprintedSecret } from "../logging/unprinted-secret.ts";
import { type CredentialScope, signingKey } from "./credential-scope.ts";

/** An AWS secret of a session: the tokens that a guest signs with, and the credentials that they stand for. */
export class AwsCredential extends UnprintedSecret {
  /** What the guest has for the access key id. */
  readonly accessKeyIdToken: string;
  readonly secretAccessKeyToken: string;
  readonly sessionTokenToken: string;
  readonly #accessKeyId: string;
  readonly #secretAccessKey: string;
  readonly #sessionToken: string | undefined;

  constructor(secret: AwsEgressSecret) {
    super(secret);
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
}
