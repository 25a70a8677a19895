// @ts-check
/**
 * As much of a JSON schema as the reference shows.
 *
 * @typedef {object} Schema
 * @property {string} [type]
 * @property {string} [format]
 * @property {unknown[]} [enum]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {number} [maxItems]
 * @property {Schema} [items]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [oneOf]
 * @property {Record<string, Schema>} [properties]
 * @property {Schema} [additionalProperties]
 * @property {string[]} [required]
 */

/** Fields below this depth are left to the OpenAPI document. */
const depthMax = 3;

/**
 * What values a schema accepts, in one line of Markdown.
 *
 * @param {Schema} schema
 * @returns {string}
 */
export function schemaText(schema) {
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) {
    return [...new Set(variants.map(schemaText))].join(" or ");
  }
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  }
  if (schema.type === "array") {
    const most = schema.maxItems === undefined ? "" : `, at most ${schema.maxItems}`;
    return `array of ${schemaText(schema.items ?? {})}${most}`;
  }
  if (schema.type === "object") {
    const values = schema.additionalProperties;
    return values?.type === undefined ? "object" : `object of ${schemaText(values)}`;
  }
  if (schema.format === "date-time") return "time, ISO 8601";
  return `${schema.type ?? "any value"}${boundsText(schema)}`;
}

/** @param {Schema} schema */
function boundsText({ type, minimum, maximum, minLength, maxLength }) {
  const [least, most] = type === "string" ? [minLength, maxLength] : [minimum, maximum];
  const unit = type === "string" ? " characters" : "";
  // The bounds of a safe integer are no limits of the API.
  const hasLeast = least !== undefined && least > Number.MIN_SAFE_INTEGER;
  const hasMost = most !== undefined && most < Number.MAX_SAFE_INTEGER;
  if (hasLeast && hasMost) return `, ${least}–${most}${unit}`;
  if (hasMost) return `, at most ${most}${unit}`;
  return hasLeast && least !== 0 ? `, at least ${least}${unit}` : "";
}

/**
 * The fields of an object, or of the objects of an array, with dots before nested ones.
 *
 * @param {Schema} schema
 * @returns {{ name: string, isRequired: boolean, text: string }[]}
 */
export function schemaFields(schema, prefix = "", depth = 1) {
  const object = objectOf(schema);
  return Object.entries(object?.properties ?? {}).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    const isRequired = object?.required?.includes(key) ?? false;
    const nested = depth < depthMax ? schemaFields(field, `${name}.`, depth + 1) : [];
    return [{ name, isRequired, text: schemaText(field) }, ...nested];
  });
}

/**
 * @param {Schema} schema
 * @returns {Schema | undefined} the one kind of object that the schema accepts
 */
function objectOf(schema) {
  if (schema.type === "array") return objectOf(schema.items ?? {});
  const objects = (schema.anyOf ?? schema.oneOf ?? [schema]).filter(({ properties }) => properties);
  return objects.length === 1 ? objects[0] : undefined;
}
