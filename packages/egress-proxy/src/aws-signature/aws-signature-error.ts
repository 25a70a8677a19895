/**
 * Thrown when a request that was signed with the tokens of an AWS secret cannot be
 * signed again. The message is for the guest to read and never has a value.
 */
export class AwsSignatureError extends Error {
  /** `busy`: the sandbox has too much in memory; the same request may succeed later. */
  readonly fault: "refused" | "too_large" | "busy";

  constructor(message: string, fault: AwsSignatureError["fault"] = "refused") {
    super(message);
    this.name = "AwsSignatureError";
    this.fault = fault;
  }
}
