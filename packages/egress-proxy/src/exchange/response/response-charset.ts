import { fieldValues } from "../../http/fields.ts";
import { statedCharsets } from "../../http/media-type.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { Refusal } from "../failure/refusal.ts";

/** Charsets, but for EBCDIC's, in which ASCII characters are not their bytes. UTF-16 is searched. */
const otherCharset =
  /^(?:(?:cs|x-)?(?:imap-|unicode-?1-?1-?)?utf-?7(?:-imap)?|x-imap.*|(?:cs|x-)?utf-?32.*|(?:cs)?(?:iso-?10646-)?ucs-?4|scsu|(?:cs)?bocu-?1|hz(?:-gb-2312)?|ibm-thai|.*ebcdic.*)$/i;
const codePage = /^(?:x-)?(?:cs)?(?:ibm|cp|ccsid)[-_]?0*(\d+)/i;

/** The numbers of EBCDIC's code pages, as IBM, Java, Python and Windows name them: from, to. */
const ebcdicCodePages: readonly (readonly [number, number])[] = [
  [37, 300],
  [420, 425],
  [500, 500],
  [803, 803],
  [833, 838],
  [870, 871],
  [875, 875],
  [880, 880],
  [905, 905],
  [918, 918],
  [924, 924],
  [930, 931],
  [933, 933],
  [935, 935],
  [937, 937],
  [939, 939],
  [1025, 1027],
  [1047, 1047],
  [1097, 1097],
  [1112, 1112],
  [1122, 1123],
  [1130, 1132],
  [1137, 1166],
  [1364, 1399],
  [20273, 20297],
  [20420, 20424],
  [20833, 20838],
  [20871, 20905],
  [20924, 20924],
  [21025, 21027],
];

/**
 * Refuses a response in a charset in which a value cannot be found. Some frameworks let
 * a client choose it (`Accept: text/plain;charset=IBM037`).
 *
 * @throws {Refusal} 502
 */
export function refuseOtherCharset(head: ResponseHead, host: string): void {
  if (!isInOtherCharset(head)) return;
  throw new Refusal(
    "charset_not_supported",
    `${host} responded in a charset in which ASCII characters are not their bytes, such as EBCDIC, UTF-7 or UTF-32; it cannot be searched for secret values and is not passed on: request UTF-8`,
    { wasAllowed: true },
  );
}

/** Whether a response may state such a charset, in whatever spelling. */
export function isInOtherCharset(head: ResponseHead): boolean {
  return fieldValues(head.fields, "content-type").some((type) =>
    statedCharsets(type).some(({ name }) => name === undefined || isOther(name)),
  );
}

function isOther(charset: string): boolean {
  if (otherCharset.test(charset)) return true;
  const number = Number(codePage.exec(charset)?.[1] ?? 0);
  return ebcdicCodePages.some(([from, to]) => from <= number && number <= to);
}
