import { type BodyForm, percentEncoded, writeInForm } from "./body-form.ts";
import { hasDotSegment, percentDecoded } from "./dot-segments.ts";
import type { PlacementSet } from "./placement-set.ts";

/** What one token may become, and how its value is written in each place. */
export class TokenEntry {
  readonly name: string;
  readonly placements: PlacementSet;
  /** Whether its value was taken away, so that no destination receives it. */
  readonly isRevoked: boolean;
  readonly valueBytes: number;
  readonly #value: string;
  readonly #bodyBytes = new Map<BodyForm, Buffer>();
  #headerText: string | undefined;

  constructor(
    name: string,
    placements: PlacementSet,
    value: string,
    { isRevoked = false }: { isRevoked?: boolean } = {},
  ) {
    this.name = name;
    this.isRevoked = isRevoked;
    this.placements = placements;
    this.#value = value;
    this.valueBytes = Buffer.byteLength(value);
  }

  /**
   * The value as header text (latin1, one character a byte). Undefined when
   * it has a control character other than HTAB, which no header may hold
   * (RFC 9110 §5.5).
   */
  headerText(): string | undefined {
    if (this.#headerText !== undefined) return this.#headerText;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(this.#value)) return undefined;
    this.#headerText = Buffer.from(this.#value, "utf8").toString("latin1");
    return this.#headerText;
  }

  queryText(): string {
    return percentEncoded(this.#value);
  }

  /**
   * The value as a part of a path segment. Undefined when it is empty or has
   * a segment `.` or `..`, also where a server decodes the path twice: it
   * would change which resource is asked for.
   */
  pathText(): string | undefined {
    const isUnsafe =
      this.#value === "" ||
      hasDotSegment(this.#value) ||
      hasDotSegment(percentDecoded(this.#value));
    return isUnsafe ? undefined : percentEncoded(this.#value);
  }

  /** The same buffer each time: a body full of tokens costs no more memory than one. */
  bodyBytes(form: BodyForm): Buffer {
    let bytes = this.#bodyBytes.get(form);
    if (bytes === undefined) {
      bytes = Buffer.from(writeInForm(this.#value, form), "utf8");
      this.#bodyBytes.set(form, bytes);
    }
    return bytes;
  }
}
