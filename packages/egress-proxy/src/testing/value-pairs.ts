import assert from "node:assert/strict";
import { searchedParts } from "@opencomputer/protocol/wire";
import { type ReleaseClass, releaseClassOf } from "../redaction/release.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Two values that must not be distinguishable without knowing them. */
export interface ValuePair {
  readonly value: string;
  readonly other: string;
  readonly releaseClass: ReleaseClass;
}

const tokenCharacters = [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-",
];
/** No braces, colons or semicolons: a value may not have components. */
const textCharacters = [...tokenCharacters, ..." \"\\<>&%@!?*()[]|'^`$,"];
const wideCharacters = ["Ü€😀", "😀Ü€"] as const;

/** Two random values of the same length and class, neither of which has components. */
export function randomPair(random: SeededRandom, releaseClass: ReleaseClass): ValuePair {
  const length = random.pick([16, 17, 20, 23, 24, 32, 40, 40, 47, 64]);
  const isWide = releaseClass === "text" && random.below(4) === 0;
  const make = (at: 0 | 1): string => {
    const characters = releaseClass === "token" ? tokenCharacters : textCharacters;
    for (;;) {
      let text = Array.from({ length }, () => random.pick(characters)).join("");
      if (isWide) text = `${text.slice(0, 8)}${wideCharacters[at]}${text.slice(8)}`;
      const [part, ...more] = searchedParts(text);
      if (part !== text || more.length > 0) continue;
      if (releaseClassOf([text]) === releaseClass) return text;
    }
  };
  const value = make(0);
  let other = make(1);
  while (other === value) other = make(1);
  assert.equal(Buffer.byteLength(other), Buffer.byteLength(value));
  return { value, other, releaseClass };
}

/** A pair that differs in one byte. */
export function neighbouringPair(random: SeededRandom, releaseClass: ReleaseClass): ValuePair {
  for (;;) {
    const { value } = randomPair(random, releaseClass);
    const at = 1 + random.below(value.length - 2);
    const other = `${value.slice(0, at)}${random.pick(tokenCharacters)}${value.slice(at + 1)}`;
    const isPair =
      other !== value &&
      Buffer.byteLength(other) === Buffer.byteLength(value) &&
      searchedParts(other)[0] === other &&
      releaseClassOf([other]) === releaseClass;
    if (isPair) return { value, other, releaseClass };
  }
}
