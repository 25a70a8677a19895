import { type AwsCredentials, awsCredentialsSchema } from "@opencomputer/protocol/api";
import { SecretValue } from "../vault/secret-value.ts";

/** The value of a secret of kind `aws`, as it is encrypted. */
export function awsSecretValue({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: AwsCredentials): SecretValue {
  return new SecretValue(
    JSON.stringify({ accessKeyId, secretAccessKey, sessionToken: sessionToken ?? null }),
  );
}

/** Reads what {@link awsSecretValue} wrote. An error has nothing of the text. */
export function parseAwsValue(text: string): AwsCredentials {
  try {
    return awsCredentialsSchema.parse(JSON.parse(text));
  } catch {
    // The cause may quote the text.
    throw new Error("The value of a secret of kind aws does not have the form of its kind");
  }
}
