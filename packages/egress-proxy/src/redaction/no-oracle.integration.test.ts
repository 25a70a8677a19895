import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { splitAtRandom } from "../testing/http-split.ts";
import { nearMisses } from "../testing/near-misses.ts";
import {
  observe,
  type RedactorUnderTest,
  redactorOf,
  token,
} from "../testing/observed-redactor.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import { neighbouringPair, randomPair, type ValuePair } from "../testing/value-pairs.ts";
import { spell, spellingNames } from "../testing/value-spellings.ts";
import { holdsWhole } from "../testing/whole-value-oracle.ts";
import { BlockScanner } from "./block-scanner.ts";
import { createValueSearch } from "./value-search.ts";

const classes = ["token", "text"] as const;

/** A text in parts, and two values of which neither stands whole in it. */
interface Script {
  readonly pair: ValuePair;
  readonly parts: readonly Buffer[];
}

function randomScript(random: SeededRandom): Script {
  const makePair = random.below(3) === 0 ? neighbouringPair : randomPair;
  const pair = makePair(random, random.pick(classes));
  const text = nearMisses(random, pair);
  const partMax = random.pick([1, 3, 20, 200, 2000]);
  return { pair, parts: splitAtRandom(text, partMax, random) };
}

type MakeRedactor = (value: string) => RedactorUnderTest;

/** How many of the scripts look different under the one value and under the other. */
function countDifferences(make: MakeRedactor, seed: number, scripts: number): number {
  const random = createSeededRandom(seed);
  let differences = 0;
  for (let script = 0; script < scripts; script += 1) {
    const { pair, parts } = randomScript(random);
    const [one, two] = [pair.value, pair.other].map((value) => observe(make(value), parts));
    if (JSON.stringify(one) !== JSON.stringify(two)) differences += 1;
  }
  return differences;
}

describe("StreamRedactor reveals nothing of a value that does not occur completely", () => {
  for (const seed of [101, 102]) {
    test(`what is released, when, and the work are the same for two values (seed ${seed})`, () => {
      const random = createSeededRandom(seed);
      for (let script = 0; script < 120; script += 1) {
        const { pair, parts } = randomScript(random);
        const [one, two] = [pair.value, pair.other].map((value) =>
          observe(redactorOf(value), parts),
        );
        const texts = parts.map((part) => part.toString("latin1"));
        assert.deepEqual(one, two, `script ${script}: ${JSON.stringify({ ...pair, texts })}`);
      }
    });
  }

  test("so they are next to other values", () => {
    const random = createSeededRandom(105);
    for (let script = 0; script < 60; script += 1) {
      const { pair, parts } = randomScript(random);
      const others = classes.map((releaseClass) => randomPair(random, releaseClass).value);
      const [one, two] = [pair.value, pair.other].map((value) =>
        observe(redactorOf(value, ...others), parts),
      );
      assert.deepEqual(one, two, `script ${script}`);
    }
  });

  test("so they are among 10,000 values", () => {
    const random = createSeededRandom(106);
    const many = Array.from({ length: 9_999 }, () => random.bytes(20).toString("base64url"));
    const { pair, parts } = randomScript(random);
    const [one, two] = [pair.value, pair.other].map((value) =>
      observe(redactorOf(...many, value), parts),
    );
    assert.deepEqual(one, two);
  });

  test("neither value is replaced in the texts that are compared, and nothing is lost", () => {
    const random = createSeededRandom(107);
    for (let script = 0; script < 100; script += 1) {
      const { pair, parts } = randomScript(random);
      const redactor = redactorOf(pair.value);
      const left = Buffer.concat([
        ...parts.flatMap((part) => redactor.push(part)),
        ...redactor.end(),
      ]);
      assert.deepEqual(left, Buffer.concat(parts));
    }
  });

  test("the number of lookups depends on length and class", () => {
    const random = createSeededRandom(108);
    for (const releaseClass of classes) {
      const lookups = new Map<number, number>();
      for (let round = 0; round < 400; round += 1) {
        const { value } = randomPair(random, releaseClass);
        const scanner = new BlockScanner();
        createValueSearch(scanner, [{ name: "KEY", token, value }])?.find(Buffer.alloc(800));
        const bytes = Buffer.byteLength(value);
        const before = lookups.get(bytes) ?? scanner.work.lookups;
        assert.equal(scanner.work.lookups, before, `${bytes} bytes of class ${releaseClass}`);
        lookups.set(bytes, before);
      }
    }
  });
});

/** Holds back what agrees with the beginning of the value, as redactors in the field do. */
function prefixHoldingRedactor(value: string): RedactorUnderTest {
  let held = "";
  const leave = (text: string) => (text === "" ? [] : [Buffer.from(text, "latin1")]);
  return {
    work: { blocks: 0, lookups: 0, comparedBytes: 0 },
    push(arrived) {
      const text = (held + arrived.toString("latin1")).replaceAll(value, token);
      let agrees = Math.min(value.length - 1, text.length);
      while (!value.startsWith(text.slice(text.length - agrees))) agrees -= 1;
      held = text.slice(text.length - agrees);
      return leave(text.slice(0, text.length - agrees));
    },
    end: () => leave(held),
  };
}

/** Lets the same leave at the same time, but compares byte by byte and stops at the first difference. */
function earlyStoppingRedactor(value: string): RedactorUnderTest {
  const redactor = redactorOf(value);
  const bytes = Buffer.from(value, "utf8");
  const work = { blocks: 0, lookups: 0, comparedBytes: 0 };
  return {
    work,
    push(arrived) {
      for (let start = 0; start < arrived.length; start += 1) {
        let at = 0;
        while (at < bytes.length && arrived[start + at] === bytes[at]) at += 1;
        work.comparedBytes += at;
      }
      return redactor.push(arrived);
    },
    end: () => redactor.end(),
  };
}

/** Knows one form, and lets what encodes a part of it leave at another time. */
function base64HoldingRedactor(value: string): RedactorUnderTest {
  const encoded = Buffer.from(value).toString("base64").slice(0, 12);
  const redactor = redactorOf(value);
  return {
    work: redactor.work,
    push: (arrived) => (arrived.includes(encoded) ? [] : redactor.push(arrived)),
    end: () => redactor.end(),
  };
}

describe("the comparison itself", () => {
  test("finds no difference between correct redactors", () => {
    assert.equal(countDifferences(redactorOf, 110, 60), 0);
  });

  for (const make of [prefixHoldingRedactor, earlyStoppingRedactor, base64HoldingRedactor]) {
    test(`finds what ${make.name} reveals`, () => {
      assert.ok(countDifferences(make, 111, 120) >= 3);
    });
  }

  test("detects a complete value, in every form", () => {
    const random = createSeededRandom(112);
    for (const name of spellingNames) {
      const { value, other } = randomPair(random, "text");
      const parts = [Buffer.concat([spell(name, `<${value}>`), Buffer.from("\n")])];
      assert.ok(holdsWhole(parts[0] ?? Buffer.alloc(0), value), name);
      assert.notDeepEqual(observe(redactorOf(value), parts), observe(redactorOf(other), parts));
    }
  });
});
