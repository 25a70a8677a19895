import { type Field, fieldOf } from "../http/fields.ts";
import type { AwsCredential } from "./aws-credential.ts";
import { AwsSignatureError } from "./aws-signature-error.ts";
import {
  type CanonicalForm,
  canonicalFormsOfTarget,
  signatureParameter,
} from "./canonical-forms.ts";
import { canonicalRequest, type SignableRequest, stringToSign } from "./canonical-request.ts";
import { ChunkSignatures } from "./chunk-signatures.ts";
import { algorithm, scopeText, signatureOf } from "./credential-scope.ts";
import { encodeBytes } from "./percent-encoding.ts";
import {
  isCredentialParameter,
  isSameSignature,
  type RequestSignature,
} from "./request-signature.ts";
import type { SignedPayload } from "./signed-payload.ts";

const securityTokenName = "x-amz-security-token";

/** What replaces the guest's own signature when a request is signed again. */
export interface SignedAgain {
  readonly target: string;
  /** The fields that replace those that {@link SignedRequest.replaces} names. */
  readonly fields: readonly Field[];
}

/** Fields of the guest that have its tokens, or a signature made with them. */
const replacedFields: ReadonlySet<string> = new Set(["authorization", securityTokenName]);

/**
 * A request that a guest signed with the tokens of an AWS secret.
 *
 * It is signed again only after the guest's own signature was verified over
 * what the guest sent: {@link verify} before {@link signAgain}.
 */
export class SignedRequest {
  readonly credential: AwsCredential;
  readonly signature: RequestSignature;
  readonly payload: SignedPayload;
  readonly #received: SignableRequest;
  #verified: { form: CanonicalForm; payloadHash: string } | undefined;
  #signedAgain = "";

  constructor(
    received: SignableRequest,
    signature: RequestSignature,
    payload: SignedPayload,
    credential: AwsCredential,
  ) {
    this.#received = received;
    this.signature = signature;
    this.payload = payload;
    this.credential = credential;
  }

  /** The target without the guest's credential and signature; the rest of it may be substituted. */
  get bareTarget(): string {
    const { target } = this.#received;
    if (this.signature.place === "header") return target;
    const mark = target.indexOf("?");
    const kept = target
      .slice(mark + 1)
      .split("&")
      .filter((member) => !isCredentialParameter(member));
    return `${target.slice(0, mark)}?${kept.join("&")}`;
  }

  /** Whether a field of this lower-case name is not sent on, because signing again writes its own. */
  replaces(lowerName: string): boolean {
    return this.signature.place === "header" && replacedFields.has(lowerName);
  }

  /**
   * Verifies the guest's signature.
   *
   * @throws {AwsSignatureError} when it is not made with the guest's tokens, over this request.
   */
  verify(payloadHash: string): void {
    const { scope, signedHeaders, signature, time } = this.signature;
    const absent = signedHeaders.find(
      (name) => !this.#received.fields.some(({ lowerName }) => lowerName === name),
    );
    if (absent !== undefined) {
      throw new AwsSignatureError(`The request signs the header ${absent}, which it does not have`);
    }
    const key = this.credential.guestKey(scope);
    const tried = new Set<string>();
    for (const [formOfTarget, form] of canonicalFormsOfTarget()) {
      const covered = { form: formOfTarget, signedHeaders, payloadHash };
      const canonical = canonicalRequest(this.#received, covered);
      if (tried.has(canonical)) continue;
      tried.add(canonical);
      if (!isSameSignature(signature, signatureOf(key, stringToSign(time, scope, canonical))))
        continue;
      this.#verified = { form, payloadHash };
      return;
    }
    throw new AwsSignatureError(
      `The signature of the request is not the one that the tokens of ${this.credential.name} give: sign it with the access key id and the secret access key of the environment, as they are, and send exactly what was signed`,
    );
  }

  /**
   * Signs what is sent upstream. Signed headers that are not sent are no longer among
   * them, and the session token of the credentials is.
   */
  signAgain({ method, target, fields }: SignableRequest): SignedAgain {
    const verified = this.#verified;
    if (verified === undefined) throw new Error("The guest's signature was not verified");
    const { credential, signature } = this;
    const { scope, time } = signature;
    const { sessionToken } = credential;
    const inHeader = signature.place === "header";
    const tokenFields =
      inHeader && sessionToken !== undefined ? [fieldOf("X-Amz-Security-Token", sessionToken)] : [];
    const sent = [...fields.filter(({ lowerName }) => !this.replaces(lowerName)), ...tokenFields];
    const names = new Set(sent.map(({ lowerName }) => lowerName));
    const signedHeaders = [
      ...signature.signedHeaders.filter((name) => name !== securityTokenName && names.has(name)),
      ...tokenFields.map(({ lowerName }) => lowerName),
    ]
      .filter((name, index, all) => all.indexOf(name) === index)
      .sort();
    const credentialText = `${credential.accessKeyId}/${scopeText(scope)}`;
    const unsignedTarget = inHeader
      ? target
      : withParameters(target, credentialText, sessionToken, signedHeaders);
    const canonical = canonicalRequest(
      { method, target: unsignedTarget, fields: sent },
      { ...verified, signedHeaders },
    );
    const key = credential.upstreamKey(scope);
    const again = signatureOf(key, stringToSign(time, scope, canonical));
    this.#signedAgain = again;
    if (!inHeader) {
      return { target: `${unsignedTarget}&${signatureParameter}=${again}`, fields: [] };
    }
    const authorization = `${algorithm} Credential=${credentialText}, SignedHeaders=${signedHeaders.join(";")}, Signature=${again}`;
    return { target, fields: [...tokenFields, fieldOf("Authorization", authorization)] };
  }

  /** What signs the chunks of the body again; undefined when they are not signed. */
  chunkSignatures(reserve: (bytes: number) => boolean): ChunkSignatures | undefined {
    if (this.payload.kind !== "chunks") return undefined;
    const { scope, time, signature } = this.signature;
    return new ChunkSignatures({
      ...{ time, scope, reserve },
      hasTrailer: this.payload.hasTrailer,
      guest: { key: this.credential.guestKey(scope), seed: signature },
      upstream: { key: this.credential.upstreamKey(scope), seed: this.#signedAgain },
    });
  }
}

/** Adds the parameters of the credential to a bare target; which headers are signed may have changed. */
function withParameters(
  target: string,
  credentialText: string,
  sessionToken: string | undefined,
  signedHeaders: readonly string[],
): string {
  const members = target
    .replace(signedHeadersMember, `$1${encodeBytes(signedHeaders.join(";"))}`)
    .concat(`&X-Amz-Credential=${encodeBytes(credentialText)}`);
  return sessionToken === undefined
    ? members
    : `${members}&X-Amz-Security-Token=${encodeBytes(sessionToken)}`;
}

const signedHeadersMember = /([?&]X-Amz-SignedHeaders=)[^&]*/;
