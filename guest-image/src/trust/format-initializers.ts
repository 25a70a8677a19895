/**
 * Formats variables as initializers of a C array of pairs of text.
 *
 * @throws {RangeError} for text that would have to be escaped.
 */
export function formatInitializers(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (!/^[\w/.,-]*$/.test(name + value)) {
        throw new RangeError(
          `${name}=${value} cannot be a C literal: expected letters, digits and _ / . , -`,
        );
      }
      return `{"${name}", "${value}"},\n`;
    })
    .join("");
}
