import { type BodyForm, isAsciiCharset } from "./body-form.ts";

/** How far before its end a declaration may begin. */
const declarationCharactersMax = 512;

/**
 * The charset of a part's head or of HTML, and the encoding of an XML declaration. With an
 * asterisk behind its name it is encoded (RFC 2231).
 */
const charsetDeclaration =
  /charset(\*[*\d]{0,8})?\s*=\s*["']?([^\s"'<>;,]*)|<\?xml\s[^>]{0,256}?\bencoding\s*=\s*["']?([^\s"'<>?]*)/gi;
/** How a part's head states that its bytes were changed. */
const transferEncoding = /\bcontent-transfer-encoding\s*:\s*([^\s;]*)/gi;
const unchangedBytes = /^(?:7bit|8bit|binary)$/i;
/** The field of a form that states the charset of its other fields. */
const charsetField = /\bname\s*=\s*"?_charset_(?=\W)/i;
/** What one of these has in it: text without it, which is most, is read once instead of three times. */
const anyDeclaration = /charset(?:\s*=|[*_])|-transfer-encoding|<\?xml\s/i;

/**
 * Byte order marks of UTF-16 and UTF-7, an XML declaration in EBCDIC, and the zero
 * bytes of the ASCII characters that JSON and XML begin with in UTF-16 and UTF-32.
 */
const otherBeginning = /^(?:\xfe\xff|\xff\xfe|\+\/v|\x4c\x6f\xa7\x94|[^\0]\0|\0[^\0]|\0{3}[^\0])/;
const beginningBytes = 4;

/**
 * Finds where the receiver of a body may begin to read it in an encoding in which
 * ASCII bytes are not ASCII characters.
 *
 * A value that is written there would be read as other characters: in UTF-16 each
 * two bytes are one. A host that sends back what it has read would reveal the
 * value in a spelling that no search recognizes. Receivers find the encoding in the
 * body itself, whatever its `Content-Type` states: that of JSON by its first bytes,
 * of XML by these or its declaration, of a part by its head.
 */
export class BodyEncoding {
  readonly #form: BodyForm | undefined;
  #otherFrom = Number.POSITIVE_INFINITY;
  /** Where a declaration begins that may continue in the next bytes. */
  #openFrom = Number.POSITIVE_INFINITY;
  #bytes = 0;
  #beginning = "";
  /** The end of what was taken, in which a declaration may begin. */
  #tail = "";

  constructor(form: BodyForm | undefined) {
    this.#form = form;
  }

  /** Position in the body from which on its bytes may be read in another encoding. */
  get otherFrom(): number {
    return Math.min(this.#otherFrom, this.#openFrom);
  }

  /** Takes the next bytes of the body. */
  take(bytes: Buffer): void {
    if (this.#form === undefined || this.#otherFrom !== Number.POSITIVE_INFINITY) return;
    if (this.#form !== "multipart" && this.#form !== "utf8") this.#findOtherText(bytes);
    if (this.#form === "raw" || this.#form === "multipart") this.#findDeclarations(bytes);
    this.#bytes += bytes.length;
  }

  /** Not in parts: they may be binary, and their delimiters show that the body is read byte by byte. */
  #findOtherText(bytes: Buffer): void {
    if (this.#beginning.length === beginningBytes) return;
    this.#beginning += bytes.toString("latin1", 0, beginningBytes - this.#beginning.length);
    if (otherBeginning.test(this.#beginning)) this.#isOtherFrom(0);
  }

  #findDeclarations(bytes: Buffer): void {
    const text = this.#tail + bytes.toString("latin1");
    this.#openFrom = Number.POSITIVE_INFINITY;
    if (anyDeclaration.test(text)) this.#readDeclarations(text, this.#bytes - this.#tail.length);
    this.#tail = text.slice(-declarationCharactersMax);
  }

  /** `textFrom` is the position of the text in the body. */
  #readDeclarations(text: string, textFrom: number): void {
    const read = (match: RegExpExecArray, isAscii: boolean): void => {
      if (isAscii) return;
      const from = textFrom + match.index;
      const mayContinue = match.index + match[0].length === text.length;
      if (!mayContinue || match[0].length > declarationCharactersMax) this.#isOtherFrom(from);
      else this.#openFrom = Math.min(this.#openFrom, from);
    };
    for (const match of text.matchAll(charsetDeclaration)) {
      const [, encoded, charset, encoding = ""] = match;
      read(match, encoded === undefined && isAsciiCharset(charset ?? encoding));
    }
    for (const match of text.matchAll(transferEncoding)) {
      read(match, unchangedBytes.test(match[1] ?? ""));
    }
    const fieldAt = text.search(charsetField);
    if (fieldAt !== -1) this.#isOtherFrom(textFrom + fieldAt);
  }

  #isOtherFrom(position: number): void {
    this.#otherFrom = Math.min(this.#otherFrom, position);
  }
}
