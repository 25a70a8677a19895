import type { SeenSecrets } from "./seen-secrets.ts";
import type { ValueMatcher } from "./value-matcher.ts";

const nothing = Buffer.alloc(0);

/**
 * Replaces values by their tokens in octets that arrive in parts split
 * anywhere. Holds back only octets that could begin a value, so that streams
 * of events are not delayed.
 */
export class Resealer {
  readonly #matcher: ValueMatcher;
  readonly #seen: SeenSecrets;
  #held: Buffer = nothing;

  constructor(matcher: ValueMatcher, seen: SeenSecrets) {
    this.#matcher = matcher;
    this.#seen = seen;
  }

  /** What the guest may have, now that these octets have arrived. */
  *push(arrived: Buffer): Generator<Buffer, void> {
    const octets = this.#held.length === 0 ? arrived : Buffer.concat([this.#held, arrived]);
    this.#held = nothing;
    yield* this.#reseal(octets, false);
  }

  /** What was held back, when no more octets come. */
  *end(): Generator<Buffer, void> {
    const octets = this.#held;
    this.#held = nothing;
    if (octets.length > 0) yield* this.#reseal(octets, true);
  }

  /** All of the octets at once. */
  whole(octets: Buffer): readonly Buffer[] {
    if (this.#matcher.find(octets, 0) === undefined) return [octets];
    return [...this.#reseal(octets, true)];
  }

  *#reseal(octets: Buffer, isEnd: boolean): Generator<Buffer, void> {
    let from = 0;
    let pending = isEnd ? octets.length : this.#matcher.pendingStart(octets, 0);
    for (;;) {
      const match = this.#matcher.find(octets, from);
      const matchStart = match?.start ?? octets.length;
      if (match === undefined || (!isEnd && pending <= matchStart)) break;
      if (matchStart > from) yield octets.subarray(from, matchStart);
      yield match.pattern.replacement;
      for (const name of match.pattern.secretNames) this.#seen.note("resealed", name);
      from = matchStart + match.pattern.octets.length;
      if (!isEnd && pending < from) pending = this.#matcher.pendingStart(octets, from);
    }
    if (pending > from) yield octets.subarray(from, pending);
    this.#held = octets.subarray(pending);
  }
}

/** Reseals a piece of a head; text is latin1. */
export function resealText(text: string, matcher: ValueMatcher, seen: SeenSecrets): string {
  const octets = Buffer.from(text, "latin1");
  if (matcher.find(octets, 0) === undefined) return text;
  return Buffer.concat(new Resealer(matcher, seen).whole(octets)).toString("latin1");
}
