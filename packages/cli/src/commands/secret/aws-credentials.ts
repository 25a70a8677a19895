import type { AwsCredentials } from "@opencomputer/sdk";
import { z } from "zod";
import { CliError } from "../../cli-context.ts";

/** As `aws configure export-credentials` prints them; `aws sts assume-role` has them in a member. */
const printedSchema = z.object({
  AccessKeyId: z.string(),
  SecretAccessKey: z.string(),
  SessionToken: z.string().nullish(),
});
const anyPrintedSchema = z.union([
  printedSchema,
  z.object({ Credentials: printedSchema }).transform(({ Credentials }) => Credentials),
]);

/**
 * Parses AWS credentials as the AWS CLI prints them.
 *
 * @throws {CliError} which has nothing of the text.
 */
export function parseAwsCredentials(text: string): AwsCredentials {
  const printed = anyPrintedSchema.safeParse(parseJson(text));
  if (!printed.success) {
    throw new CliError(
      "invalid_request",
      "The AWS credentials on stdin are not JSON with AccessKeyId, SecretAccessKey and perhaps SessionToken: pipe in what `aws configure export-credentials` prints",
    );
  }
  const { AccessKeyId, SecretAccessKey, SessionToken } = printed.data;
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(SessionToken ? { sessionToken: SessionToken } : {}),
  };
}

/**
 * The credentials that AWS clients take from the environment.
 *
 * @throws {CliError}
 */
export function awsCredentialsOf(
  environment: Readonly<Record<string, string | undefined>>,
): AwsCredentials {
  const accessKeyId = environment["AWS_ACCESS_KEY_ID"];
  const secretAccessKey = environment["AWS_SECRET_ACCESS_KEY"];
  const sessionToken = environment["AWS_SESSION_TOKEN"];
  if (!accessKeyId || !secretAccessKey) {
    throw new CliError(
      "invalid_usage",
      "Expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment of oc: set both, or use --from-stdin",
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Its message may quote the text.
    return undefined;
  }
}
