/** The value of a JSON text; undefined for any other text, as of no shape that is expected of it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Its message may quote the text.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
