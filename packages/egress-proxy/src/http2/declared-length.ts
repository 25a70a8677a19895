import { type Field, fieldValues } from "../http/fields.ts";
import { malformed } from "../http/http-syntax-error.ts";

/**
 * Returns the length that a message declares for its body; undefined for none.
 *
 * @throws {HttpSyntaxError}
 */
export function declaredLength(fields: readonly Field[]): number | undefined {
  const lengths = fieldValues(fields, "content-length");
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (lengths.length > 1) throw malformed("Content-Length is given more than once");
  if (!/^\d{1,15}$/.test(length)) throw malformed("Content-Length is not a decimal number");
  return Number(length);
}
