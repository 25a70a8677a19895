import type { Field } from "../../http/fields.ts";
import { AwsCredential } from "../aws-credential.ts";
import type { UsableAwsCredential } from "../read-signed-request.ts";

/** The credentials of the examples in the documentation of Amazon S3. */
export const exampleKeys = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
export const exampleTime = "20130524T000000Z";
export const exampleMilliseconds = Date.UTC(2013, 4, 24);

/** A credential whose tokens are `guest`, and whose values are `upstream`. */
export function credentialOf(
  guest: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
  upstream: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
): AwsCredential {
  return new AwsCredential({
    name: "AWS",
    allowedHosts: [],
    substituteIn: ["header", "query"],
    accessKeyId: { token: guest.accessKeyId, value: upstream.accessKeyId },
    secretAccessKey: { token: guest.secretAccessKey, value: upstream.secretAccessKey },
    sessionToken: {
      token: guest.sessionToken ?? "token-of-no-session",
      value: upstream.sessionToken ?? null,
    },
  });
}

export function usable(
  credential: AwsCredential,
  places: { inHeader?: boolean; inQuery?: boolean } = {},
): ReadonlyMap<string, UsableAwsCredential> {
  return new Map([
    [credential.accessKeyIdToken, { credential, inHeader: true, inQuery: true, ...places }],
  ]);
}

export function fieldsOf(fields: Readonly<Record<string, string>>): Field[] {
  return Object.entries(fields).map(([name, value]) => ({
    ...{ name, value },
    lowerName: name.toLowerCase(),
  }));
}
