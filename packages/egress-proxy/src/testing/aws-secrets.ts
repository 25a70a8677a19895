import type { AwsEgressSecret } from "@opencomputer/protocol/wire";

/** What a guest has for AWS credentials. */
export const guestAwsKeys = {
  accessKeyId: `osb_sealed_${"1a".repeat(16)}`,
  secretAccessKey: `osb_sealed_${"2b".repeat(16)}`,
  sessionToken: `osb_sealed_${"3c".repeat(16)}`,
};

/** Credentials of the form that AWS makes, for no account. */
export const realAwsKeys = {
  accessKeyId: "AKIAQ7Z2XK9MV4TR8WLP",
  secretAccessKey: "q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1TuE0aWiOkM",
  sessionToken: "FwoGZXIvYXdzEJr0q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1TuE0aWiOkMzXcVbNmQwErTyUi",
};

/** A secret of kind `aws`, for every host and in the default placements, with these changes. */
export function awsSecret(
  changes: Partial<AwsEgressSecret> = {},
  real: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = realAwsKeys,
): AwsEgressSecret {
  return {
    name: "AWS",
    accessKeyId: { token: guestAwsKeys.accessKeyId, value: real.accessKeyId },
    secretAccessKey: { token: guestAwsKeys.secretAccessKey, value: real.secretAccessKey },
    sessionToken: { token: guestAwsKeys.sessionToken, value: real.sessionToken ?? null },
    allowedHosts: [],
    substituteIn: ["header", "body"],
    ...changes,
  };
}
