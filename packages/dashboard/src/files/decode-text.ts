/** Longer files are not opened in the editor, only downloaded. */
export const editableBytesMax = 1024 * 1024;

/** The text of a file; undefined for one that is not UTF-8, or has NUL, and so would be changed by saving it. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
