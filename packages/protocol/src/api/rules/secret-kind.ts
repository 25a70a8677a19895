import { z } from "zod";
import { limits } from "../limits.ts";

/**
 * What a secret is.
 *
 * - `value`: one text, which replaces its token.
 * - `aws`: an access key id, a secret access key and perhaps a session token, which
 *   requests to AWS are signed with.
 */
export const secretKindSchema = z.enum(["value", "aws"]);
export type SecretKind = z.infer<typeof secretKindSchema>;

/** Hosts of a secret of kind `aws` that names none when it is first set. */
export const awsHosts: readonly string[] = ["*.amazonaws.com"];

/** Visible ASCII: it stands in headers and queries as it is. */
export const awsValuePattern = /^[\x21-\x7e]+$/;

/** Neither of these can be in an access key id: they separate it from the rest of a credential. */
const accessKeyIdPattern = /^[^/,]*$/;

const awsTextSchema = (charactersMax: number) =>
  z
    .string()
    .max(charactersMax, `must be at most ${charactersMax} characters`)
    .regex(awsValuePattern, "must be visible ASCII characters without spaces, and not empty");

/** The credentials of a secret of kind `aws`. Without a session token they are long-term ones. */
export const awsCredentialsSchema = z.object({
  accessKeyId: awsTextSchema(limits.awsKeyCharactersMax).regex(
    accessKeyIdPattern,
    "must have no slash and no comma",
  ),
  secretAccessKey: awsTextSchema(limits.awsKeyCharactersMax),
  sessionToken: awsTextSchema(limits.awsSessionTokenCharactersMax).nullish(),
});
export type AwsCredentials = z.infer<typeof awsCredentialsSchema>;
