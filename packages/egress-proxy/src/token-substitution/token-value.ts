import type { WithheldReason } from "@opencomputer/protocol/api";
import { type BodyForm, percentEncoded, writeInForm } from "./body-form.ts";
import type { PlacementSet } from "./placement-set.ts";

/** One token's value, the places where it may be written, and how it is written there. */
export class TokenValue {
  readonly name: string;
  readonly placements: PlacementSet;
  /** Why the destination does not receive its value in any place; undefined when it may. */
  readonly withheldFor: WithheldReason | undefined;
  readonly valueBytes: number;
  readonly #value: string;
  readonly #bodyBytes = new Map<BodyForm, Buffer>();
  #headerText: string | undefined;

  constructor(name: string, placements: PlacementSet, value: string, withheldFor?: WithheldReason) {
    this.name = name;
    this.withheldFor = withheldFor;
    this.placements = placements;
    this.#value = value;
    this.valueBytes = Buffer.byteLength(value);
  }

  /**
   * Returns the value as header text (latin1, one character per byte). Undefined when
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
   * Returns the value as a part of a path segment. Undefined when it is empty or has
   * a segment `.` or `..`, also where a server decodes the path twice: it
   * would change which resource is requested.
   */
  pathText(): string | undefined {
    const isUnsafe =
      this.#value === "" ||
      hasDotSegment(this.#value) ||
      hasDotSegment(percentDecoded(this.#value));
    return isUnsafe ? undefined : percentEncoded(this.#value);
  }

  /** Returns the same buffer each time: a body full of tokens takes no more memory than one. */
  bodyBytes(form: BodyForm): Buffer {
    let bytes = this.#bodyBytes.get(form);
    if (bytes === undefined) {
      bytes = Buffer.from(writeInForm(this.#value, form), "utf8");
      this.#bodyBytes.set(form, bytes);
    }
    return bytes;
  }
}

/** Characters that some servers treat as the end of a path segment. */
const segmentEnds = /[/\\;]/;

/** Whether a decoded text has a segment `.` or `..`, which changes what a path names (RFC 3986 §5.2.4). */
export function hasDotSegment(text: string): boolean {
  return text.split(segmentEnds).some((segment) => segment === "." || segment === "..");
}

/** Decodes the percent-escapes of a text, one character per byte; anything else is kept. */
export function percentDecoded(text: string): string {
  return text.includes("%")
    ? text.replace(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      )
    : text;
}
