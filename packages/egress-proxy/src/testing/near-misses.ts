import type { SeededRandom } from "./seeded-random.ts";
import type { ValuePair } from "./value-pairs.ts";
import { spell, spellingNames } from "./value-spellings.ts";
import { holdsWhole } from "./whole-value-oracle.ts";

/**
 * A text in which neither value of the pair occurs completely, and much that nearly
 * is one: beginnings, ends, middles and all but a byte of them, in every form,
 * between what releases bytes and what does not.
 */
export function nearMisses(random: SeededRandom, pair: ValuePair, piecesMax = 12): Buffer {
  const pieces: Buffer[] = [];
  for (let count = 1 + random.below(piecesMax); count > 0; count -= 1) {
    for (;;) {
      const piece = random.below(3) === 0 ? filling(random) : nearMiss(random, pair);
      if (holdsEither(Buffer.concat([...pieces.slice(-8), piece]), pair)) continue;
      pieces.push(piece);
      break;
    }
  }
  const text = Buffer.concat(pieces);
  return holdsEither(text, pair) ? nearMisses(random, pair, piecesMax) : text;
}

function holdsEither(text: Buffer, { value, other }: ValuePair): boolean {
  return holdsWhole(text, value) || holdsWhole(text, other);
}

function nearMiss(random: SeededRandom, { value, other }: ValuePair): Buffer {
  const bytes = Buffer.from(random.below(2) === 0 ? value : other, "utf8");
  const kept = random.below(2) === 0 ? bytes.length - 1 : random.below(bytes.length);
  const name = random.pick(spellingNames);
  switch (random.below(6)) {
    case 0:
      return spell(name, bytes.subarray(0, kept));
    case 1:
      return spell(name, bytes.subarray(bytes.length - kept));
    case 2: {
      const from = random.below(bytes.length);
      return spell(name, bytes.subarray(from, from + kept));
    }
    case 3: {
      const changed = Buffer.from(bytes);
      changed[random.below(changed.length)] = random.pick([0x21, 0x41, 0x7a, 0x30]);
      return spell(name, changed);
    }
    case 4: {
      // A bit alone, which base64 shares with its neighbour.
      const changed = Buffer.from(bytes);
      const at = random.pick([0, changed.length - 1]);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.below(6));
      return spell(name, changed);
    }
    default: {
      const spelled = spell(name, bytes);
      const cut = 1 + random.below(spelled.length);
      return random.below(2) === 0 ? spelled.subarray(0, -cut) : spelled.subarray(cut);
    }
  }
}

const fillings = [
  " ",
  "\n",
  "\r\n",
  "\r",
  "\\",
  "\\\\",
  "\\n",
  "\\u00",
  "\\u",
  "%",
  "%4",
  "%%",
  "&",
  "&#",
  "&amp;",
  '"',
  '","key":"',
  "=",
  "==",
  "\0",
  "\n\n",
  ": ",
  "<b>",
  "&#10;",
  "%0D%0A",
  "data: ",
  "\x01",
  "é",
];

function filling(random: SeededRandom): Buffer {
  switch (random.below(5)) {
    case 0:
      return random.bytes(random.below(40));
    case 1:
      // Nothing in it releases bytes.
      return Buffer.alloc(random.below(700), random.pick(["A", "a", "0", "%41", "ab+/", "\\"]));
    default:
      return Buffer.from(random.pick(fillings), "utf8");
  }
}
