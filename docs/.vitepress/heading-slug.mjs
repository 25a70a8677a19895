// @ts-check
/**
 * The anchor of a heading, as GitHub makes it, so that one link works on both.
 *
 * @param {string} heading its text, without Markdown
 */
export function headingSlug(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
}
