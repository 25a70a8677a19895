import type { MemberRange } from "./form-fields.ts";

/** A member to find: the placements' names for it, and its members by key or index. */
export interface WantedMember {
  readonly fields: string[];
  readonly members: Map<string, WantedMember>;
}

const depthMax = 64;
const literalPattern = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const escapePattern = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const [tab, lineFeed, carriageReturn, space, quote, backslash] = [
  0x09, 0x0a, 0x0d, 0x20, 0x22, 0x5c,
];

/**
 * Finds the strings of wanted members in a JSON text (RFC 8259) of valid
 * UTF-8. Undefined when the text is invalid, repeats a key in one object, or is
 * nested deeper than 64: servers read those differently.
 */
export function findJsonStrings(
  body: Buffer,
  wanted: WantedMember,
): readonly MemberRange[] | undefined {
  const scanner = new JsonScanner(body);
  return scanner.scan(wanted) ? scanner.ranges : undefined;
}

class JsonScanner {
  readonly ranges: MemberRange[] = [];
  readonly #body: Buffer;
  /** One character a byte, so that positions are those of the bytes. */
  readonly #text: string;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
    this.#text = body.toString("latin1");
  }

  scan(wanted: WantedMember): boolean {
    if (!this.#value(wanted, 0)) return false;
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  #value(wanted: WantedMember | undefined, depth: number): boolean {
    this.#skipSpace();
    const first = this.#text[this.#at];
    if (first === "{") return depth < depthMax && this.#object(wanted, depth + 1);
    if (first === "[") return depth < depthMax && this.#array(wanted, depth + 1);
    if (first !== '"') return this.#match(literalPattern);
    const start = this.#at + 1;
    if (!this.#string()) return false;
    if (wanted !== undefined && wanted.fields.length > 0) {
      this.ranges.push({ start, end: this.#at - 1, fields: wanted.fields });
    }
    return true;
  }

  #object(wanted: WantedMember | undefined, depth: number): boolean {
    this.#at += 1;
    if (this.#take("}")) return true;
    const keys = new Set<string>();
    for (;;) {
      this.#skipSpace();
      const start = this.#at;
      if (!this.#string()) return false;
      const key: unknown = JSON.parse(this.#body.toString("utf8", start, this.#at));
      if (typeof key !== "string" || keys.has(key)) return false;
      keys.add(key);
      if (!this.#take(":") || !this.#value(wanted?.members.get(key), depth)) return false;
      if (this.#take("}")) return true;
      if (!this.#take(",")) return false;
    }
  }

  #array(wanted: WantedMember | undefined, depth: number): boolean {
    this.#at += 1;
    if (this.#take("]")) return true;
    for (let index = 0; ; index += 1) {
      if (!this.#value(wanted?.members.get(String(index)), depth)) return false;
      if (this.#take("]")) return true;
      if (!this.#take(",")) return false;
    }
  }

  /** Skips a string with its quotes. */
  #string(): boolean {
    if (this.#text.charCodeAt(this.#at) !== quote) return false;
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at);
      if (code < space) return false;
      if (code === backslash) {
        if (!this.#match(escapePattern)) return false;
      } else {
        this.#at += 1;
        if (code === quote) return true;
      }
    }
    return false;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  /** Skips this character, with white space before it, when it is next. */
  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== space && code !== lineFeed && code !== carriageReturn && code !== tab) return;
      this.#at += 1;
    }
  }
}
