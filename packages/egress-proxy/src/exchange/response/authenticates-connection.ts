import { fieldValues } from "../../http/fields.ts";
import type { RequestHead, ResponseHead } from "../../http/message-heads.ts";

/** Schemes that authenticate a connection in place of a request (RFC 4559, and Microsoft's NTLM). */
const connectionScheme = /^(?:negotiate|ntlm)\b/i;

/** Whether an exchange may have given its upstream connection an identity, which no other client must inherit. */
export function authenticatesConnection(
  request: RequestHead | undefined,
  response: ResponseHead,
): boolean {
  const credentials = request === undefined ? [] : fieldValues(request.fields, "authorization");
  const challenges = fieldValues(response.fields, "www-authenticate");
  return [...credentials, ...challenges].some((value) => connectionScheme.test(value));
}
