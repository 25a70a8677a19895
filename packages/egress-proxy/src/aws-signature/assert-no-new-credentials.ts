import { fieldValues } from "../http/fields.ts";
import { mediaTypeOf, statedCharsets } from "../http/media-type.ts";
import type { AwsCredential } from "./aws-credential.ts";
import { AwsSignatureError } from "./aws-signature-error.ts";
import type { SignableRequest } from "./canonical-request.ts";

/** The one action of AWS's token service whose response has no credentials in it. */
const harmlessAction = "GetCallerIdentity";

/** Whether requests of this scope ask the service that makes credentials. */
export function asksForCredentials(service: string): boolean {
  return service === "sts";
}

/**
 * Asserts that a request to the token service makes no credentials: the sandbox would
 * receive them in plaintext, and every user may have them made (`GetSessionToken`). A
 * secret that names the very host of the service allows it.
 *
 * @throws {AwsSignatureError}
 */
export function assertNoNewCredentials(
  { target, fields }: SignableRequest,
  body: Buffer,
  host: string,
  { name, allowedHosts }: AwsCredential,
): void {
  if (allowedHosts.includes(host)) return;
  const [path = "", ...query] = target.split("?");
  const actions = [query.join("?"), body.toString("latin1")].flatMap((text) =>
    [...new URLSearchParams(text)]
      .filter(([parameter]) => parameter.trim().toLowerCase() === "action")
      .map(([, value]) => value),
  );
  // Protocols other than the query protocol name the action in the path or in a field.
  const isHarmless =
    path === "/" &&
    actions.length > 0 &&
    actions.every((action) => action === harmlessAction) &&
    !fields.some(({ lowerName }) => lowerName === "x-amz-target") &&
    isReadAsSent(fields);
  if (isHarmless) return;
  throw new AwsSignatureError(
    `The response of AWS STS would have new credentials in plaintext: only ${harmlessAction} is signed. To allow other actions, set ${name} again with allowed hosts that include ${host} itself`,
  );
}

const formType = "application/x-www-form-urlencoded";
const utf8 = /^utf-?8$/i;

/** Whether the service reads the same form in the body: no type, charset or coding gives it another one. */
function isReadAsSent(fields: SignableRequest["fields"]): boolean {
  const types = fieldValues(fields, "content-type");
  const isForm = (type: string) =>
    mediaTypeOf(type) === formType &&
    statedCharsets(type).every(({ name, isCertain }) => isCertain && utf8.test(name ?? ""));
  return (
    types.length <= 1 && types.every(isForm) && fieldValues(fields, "content-encoding").length === 0
  );
}
