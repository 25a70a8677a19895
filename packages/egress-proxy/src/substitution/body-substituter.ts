import { sealedToken } from "@opencomputer/protocol";
import type { SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";
import type { BodyForm } from "./value-forms.ts";

const prefix = Buffer.from(sealedToken.prefix, "latin1");
const hexDigits = /^[0-9a-f]*$/;
const nothing = Buffer.alloc(0);

/**
 * Substitutes tokens in a body that arrives in parts split anywhere.
 *
 * Holds back at most the 42 octets that could begin a token. Values are
 * handed out one by one and shared, not copied: a body full of tokens costs
 * no more memory than one, as long as the caller writes what it is given
 * before it asks for more.
 */
export class BodySubstituter {
  readonly #table: TokenTable;
  readonly #form: BodyForm;
  readonly #seen: SeenSecrets;
  #held: Buffer = nothing;

  constructor(table: TokenTable, form: BodyForm, seen: SeenSecrets) {
    this.#table = table;
    this.#form = form;
    this.#seen = seen;
  }

  /** What may be sent on, now that these octets have arrived. */
  *push(arrived: Buffer): Generator<Buffer, void> {
    const octets = this.#held.length === 0 ? arrived : Buffer.concat([this.#held, arrived]);
    this.#held = nothing;
    let sentUpTo = 0;
    let at = octets.indexOf(prefix);
    while (at !== -1) {
      const end = at + sealedToken.length;
      const text = octets.toString("latin1", at, end);
      if (text.length < sealedToken.length && hexDigits.test(text.slice(prefix.length))) break;
      const entry = this.#table.entries.get(text);
      if (entry?.usable === true) {
        this.#seen.note("substituted", entry.name);
        if (at > sentUpTo) yield octets.subarray(sentUpTo, at);
        yield entry.bodyOctets(this.#form);
        sentUpTo = end;
      } else if (entry !== undefined) {
        this.#seen.note("withheld", entry.name);
      }
      at = octets.indexOf(prefix, at + (entry === undefined ? prefix.length : sealedToken.length));
    }
    const holdFrom = at === -1 ? partialPrefixStart(octets, sentUpTo) : at;
    if (holdFrom > sentUpTo) yield octets.subarray(sentUpTo, holdFrom);
    this.#held = octets.subarray(holdFrom);
  }

  /** What was held back, when no more octets come. */
  *end(): Generator<Buffer, void> {
    if (this.#held.length > 0) yield this.#held;
    this.#held = nothing;
  }
}

/** Where the octets end with the beginning of a prefix; their length when they do not. */
function partialPrefixStart(octets: Buffer, from: number): number {
  for (let at = Math.max(from, octets.length - prefix.length + 1); at < octets.length; at += 1) {
    if (octets.compare(prefix, 0, octets.length - at, at) === 0) return at;
  }
  return octets.length;
}
