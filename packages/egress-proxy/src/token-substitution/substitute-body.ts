import { sealedToken } from "@opencomputer/protocol/wire";
import { BodyEncoding } from "./body-encoding.ts";
import type { BodyForm } from "./body-form.ts";
import type { BodyMembers } from "./body-members.ts";
import {
  endsInEscape,
  endsInsideCharacter,
  endsInWideByte,
  escapeCharactersMax,
} from "./open-escape.ts";
import type { SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";
import type { TokenValue } from "./token-value.ts";

const prefix = Buffer.from(sealedToken.prefix, "latin1");
const hexDigits = /^[0-9a-f]*$/;
const nothing = Buffer.alloc(0);

/**
 * Substitutes tokens in a body that arrives in parts split anywhere.
 *
 * Holds back at most the 42 bytes that could begin a token. Values are yielded
 * one by one and shared, not copied: a body full of tokens takes no more memory
 * than one, as long as the caller writes each part before it takes the next.
 */
export class BodySubstituter {
  readonly #table: TokenTable;
  readonly #seen: SeenSecrets;
  readonly #members: BodyMembers | undefined;
  readonly #encoding: BodyEncoding;
  #form: BodyForm | undefined;
  #hasSubstituted = false;
  #held: Buffer = nothing;
  /** Where `#held` begins in the body. */
  #offset = 0;
  /** What the guest wrote just before `#held` (latin1). */
  #before = "";

  /**
   * Without a `form` no token becomes its value. `members` are those of a body
   * that is pushed at once; without them, no token that is limited to members
   * becomes its value.
   */
  constructor(
    table: TokenTable,
    form: BodyForm | undefined,
    seen: SeenSecrets,
    members?: BodyMembers,
  ) {
    this.#table = table;
    this.#encoding = new BodyEncoding(form);
    this.#form = form;
    this.#seen = seen;
    this.#members = members;
  }

  /** Whether any token has become its value. */
  get hasSubstituted(): boolean {
    return this.#hasSubstituted;
  }

  /** Bytes that are held back. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Keeps every token that is complete only after this a token. */
  stop(): void {
    this.#form = undefined;
  }

  /** Yields what may be sent on, now that these bytes have arrived. */
  *push(arrived: Buffer): Generator<Buffer, void> {
    if (this.#form !== undefined) this.#encoding.take(arrived);
    const bytes = this.#held.length === 0 ? arrived : Buffer.concat([this.#held, arrived]);
    this.#held = nothing;
    let sentUpTo = 0;
    let at = bytes.indexOf(prefix);
    while (at !== -1) {
      const end = at + sealedToken.length;
      const text = bytes.toString("latin1", at, end);
      if (text.length < sealedToken.length && hexDigits.test(text.slice(prefix.length))) break;
      const entry = this.#table.entries.get(text);
      const value = entry === undefined ? undefined : this.#valueFor(entry, bytes, at);
      if (entry === undefined && sealedToken.pattern.test(text)) this.#seen.foreignTokens += 1;
      if (value !== undefined) {
        if (at > sentUpTo) yield bytes.subarray(sentUpTo, at);
        yield value;
        sentUpTo = end;
      }
      at = bytes.indexOf(prefix, at + (entry === undefined ? prefix.length : sealedToken.length));
    }
    const holdFrom = at === -1 ? partialPrefixStart(bytes, sentUpTo) : at;
    if (holdFrom > sentUpTo) yield bytes.subarray(sentUpTo, holdFrom);
    this.#held = bytes.subarray(holdFrom);
    this.#before = this.#textBefore(bytes, holdFrom);
    this.#offset += holdFrom;
  }

  /** Yields what was held back, when no more bytes come. */
  *end(): Generator<Buffer, void> {
    if (this.#held.length > 0) yield this.#held;
    this.#held = nothing;
  }

  #valueFor(entry: TokenValue, bytes: Buffer, at: number): Buffer | undefined {
    const { placements } = entry;
    const position = this.#offset + at;
    const mayStandHere =
      placements.body ||
      this.#members?.hold(placements.bodyFields, position, position + sealedToken.length) === true;
    if (!mayStandHere || this.#form === undefined || this.#isMisread(bytes, at)) {
      this.#seen.noteWithheld(entry, "body");
      return undefined;
    }
    this.#hasSubstituted = true;
    this.#seen.noteSubstituted(entry.name, "body");
    return entry.bodyBytes(this.#form);
  }

  /** Whether the receiver may read what follows as other characters than it is written in. */
  #isMisread(bytes: Buffer, at: number): boolean {
    if (this.#offset + at >= this.#encoding.otherFrom) return true;
    const before = this.#textBefore(bytes, at);
    if (endsInEscape(before)) return true;
    // In UTF-8 no character has an ASCII byte in it.
    const isUtf8 = this.#form === "json" || this.#form === "utf8";
    return isUtf8 ? endsInsideCharacter(before) : endsInWideByte(before);
  }

  #textBefore(bytes: Buffer, at: number): string {
    const near = bytes.toString("latin1", Math.max(0, at - escapeCharactersMax), at);
    return near.length === escapeCharactersMax
      ? near
      : (this.#before + near).slice(-escapeCharactersMax);
  }
}

/** Returns where a beginning of the prefix at the end of the bytes begins; their length when there is none. */
function partialPrefixStart(bytes: Buffer, from: number): number {
  for (let at = Math.max(from, bytes.length - prefix.length + 1); at < bytes.length; at += 1) {
    if (bytes.compare(prefix, 0, bytes.length - at, at) === 0) return at;
  }
  return bytes.length;
}
