import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Refusal } from "../exchange/failure/refusal.ts";
import { CompressedPassage } from "../exchange/response/compressed-passage.ts";
import { DecoderReservation } from "../exchange/response/decoder-reservation.ts";
import { createBodyBudgets } from "../exchange/state/body-budgets.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import { token } from "../testing/observed-redactor.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import { randomPair } from "../testing/value-pairs.ts";
import { spell, spellingNames } from "../testing/value-spellings.ts";
import { allEscapesPlaces, readAllEscapes } from "./all-escapes.ts";
import { BlockScanner } from "./block-scanner.ts";
import { escapedSegments } from "./escaped-segments.ts";
import {
  backslashSyntax,
  type EscapeSyntax,
  entitySyntax,
  escapedPlaces,
  percentSyntax,
  readEscaped,
} from "./escapes.ts";
import { base64Index, needlesOf } from "./needles.ts";
import { buildPatternTables } from "./pattern-table.ts";
import { redactHead } from "./redact-head.ts";
import { lastRelease } from "./release.ts";
import {
  readSeparated,
  type SeparatedRun,
  separatedPlaces,
  separatedRuns,
} from "./separated-digits.ts";
import { createValueSearch, type ValueSearch } from "./value-search.ts";
import { type Places, plainPlaces, readPlain, View } from "./view.ts";

const syntaxes = { percent: percentSyntax, json: backslashSyntax, entity: entitySyntax };

/** Text of which much is an escape, and more is nearly one. */
function escapeSoup(random: SeededRandom, piecesMax: number): Buffer {
  const pieces = [
    "\\",
    "\\\\",
    "\\n",
    "\\/",
    '\\"',
    "\\u",
    "\\u0041",
    "\\u00e9",
    "\\u20AC",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\u000a",
    "\\x",
    "u0041",
    "%",
    "%4",
    "%41",
    "%e2%82%ac",
    "%0D%0A",
    "%zz",
    "%%41",
    "&",
    "&amp;",
    "&lt;",
    "&#",
    "&#65;",
    "&#x41;",
    "&#x20AC;",
    "&#128512;",
    "&#0;",
    "&#x110000;",
    "&#xd800;",
    "&#10;",
    "&amp",
    "&DiacriticalGrave;",
    "&nonsense;",
    ";",
    "A",
    "b",
    "0",
    "\n",
    "\r\n",
    "é",
    " ",
  ];
  return Buffer.concat(
    Array.from({ length: random.below(piecesMax) }, () =>
      random.below(12) === 0 ? random.bytes(3) : Buffer.from(random.pick(pieces), "utf8"),
    ),
  );
}

function decoded(syntax: EscapeSyntax, source: Uint8Array): Buffer {
  const view = new View();
  readEscaped(syntax, source, 0, source.length, view);
  return Buffer.from(view.bytes.subarray(0, view.length));
}

const withoutBreaks = (text: string) => text.replace(/[\r\n]/g, "");

describe("decoders of escapes", () => {
  test("JSON decodes as with JSON.parse", () => {
    const random = createSeededRandom(301);
    const pieces = [
      "\\\\",
      "\\n",
      "\\/",
      '\\"',
      "\\t",
      "\\b",
      "\\f",
      "\\u0041",
      "\\u00e9",
      "\\u20AC",
      "\\ud83d\\ude00",
      "\\u0000",
      "a",
      "u",
      "é",
      "😀",
      "/",
      " ",
    ];
    for (let round = 0; round < 2000; round += 1) {
      const text = Array.from({ length: random.below(12) }, () => random.pick(pieces)).join("");
      const expected = withoutBreaks(String(JSON.parse(`"${text}"`)));
      assert.equal(decoded(backslashSyntax, Buffer.from(text)).toString("utf8"), expected, text);
    }
  });

  test("percent-encoding decodes as with decodeURIComponent", () => {
    const random = createSeededRandom(302);
    const pieces = [
      "%41",
      "%2f",
      "%2F",
      "%25",
      "%e2%82%ac",
      "%0D%0A",
      "a",
      "+",
      "%F0%9F%98%80",
      "/",
      "é",
    ];
    for (let round = 0; round < 2000; round += 1) {
      const text = Array.from({ length: random.below(12) }, () => random.pick(pieces)).join("");
      const expected = withoutBreaks(decodeURIComponent(text));
      assert.equal(decoded(percentSyntax, Buffer.from(text)).toString("utf8"), expected, text);
    }
  });

  test("numeric entities decode as with a regular expression", () => {
    const random = createSeededRandom(303);
    for (let round = 0; round < 2000; round += 1) {
      const text = escapeSoup(random, 14)
        .toString("latin1")
        .replace(/&[A-Za-z]+;/g, "&no;");
      const expected = text.replace(
        /&#(?:[xX]([0-9a-fA-F]{1,7})|([0-9]{1,7}));|[\r\n]/g,
        (_, hex?: string, digits?: string) => {
          if (hex === undefined && digits === undefined) return "";
          const point = hex === undefined ? Number(digits) : Number.parseInt(hex, 16);
          if (point === 10 || point === 13) return "";
          const isCharacter = point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
          const read = String.fromCodePoint(isCharacter ? point : 0xfffd);
          return Buffer.from(read, "utf8").toString("latin1");
        },
      );
      assert.equal(decoded(entitySyntax, Buffer.from(text, "latin1")).toString("latin1"), expected);
    }
  });

  for (const [name, syntax] of Object.entries(syntaxes)) {
    test(`positions of ${name} escapes are those of the source, whatever it is`, () => {
      const random = createSeededRandom(304);
      const view = new View();
      for (let round = 0; round < 1500; round += 1) {
        const source = escapeSoup(random, 30);
        const from = random.below(source.length + 1);
        const to = from + random.below(source.length - from + 1);
        readEscaped(syntax, source, from, to, view);
        const { starts, ends } = escapedPlaces(syntax, source, from, to, undefined);
        assert.ok(view.length <= to - from);
        for (let at = 0; at < view.length; at += 1) {
          const [start, end] = [starts[at] ?? -1, ends[at] ?? -1];
          assert.ok(from <= start && start < end && end <= to, `${at}: ${start} to ${end}`);
          assert.ok(at === 0 || start >= (starts[at - 1] ?? 0), "starts are in order");
          assert.ok(at === 0 || end >= (ends[at - 1] ?? 0), "ends are in order");
          const alone = new View();
          readEscaped(syntax, source, start, end, alone);
          const read = alone.bytes.subarray(0, alone.length);
          assert.ok(read.includes(view.bytes[at] ?? -1), "what stands there reads so");
        }
        assert.ok((starts[view.length] ?? 0) === 0, "there are no more places than bytes");
      }
    });

    test(`segments of ${name} escapes have every escape and all within reach of it`, () => {
      const random = createSeededRandom(305);
      for (let round = 0; round < 800; round += 1) {
        const gap = () => Buffer.alloc(random.below(80), "x");
        const soups = Array.from({ length: random.below(5) }, () => escapeSoup(random, 8));
        const source = Buffer.concat(soups.flatMap((soup) => [gap(), soup]));
        const reach = random.pick([1, 8, 32]);
        const segments = escapedSegments(syntax, source, reach);
        let last = -1;
        for (const { from, to } of segments) {
          assert.ok(from > last && to > from && to <= source.length, "segments are apart");
          last = to;
        }
        for (let at = 0; at < source.length; at += 1) {
          const packed = syntax.read(source, at, source.length);
          if (source[at] !== syntax.introducer || packed === 0) continue;
          const [first, end] = [Math.max(0, at - reach), Math.min(source.length, at + reach)];
          const isInside = segments.some(({ from, to }) => from <= first && end <= to);
          assert.ok(isInside, `the escape at ${at} of ${source.toString("latin1")}`);
        }
      }
    });
  }
});

/** Every run of separated digits, found by a regular expression. */
function naiveRuns(bytes: Buffer): SeparatedRun[] {
  const runs = /(?=([0-9a-f]{2}([^0-9a-f])[0-9a-f]{2}(?:\2[0-9a-f]{2}){14,}))/gis;
  return [...bytes.toString("latin1").matchAll(runs)].map((match) => ({
    from: match.index,
    to: match.index + (match[1] ?? "").length,
  }));
}

/** What stands whole, looked for naively in views of the whole text. */
function findNaively(bytes: Buffer, parts: readonly string[]): string[] {
  const found = new Set<string>();
  const look = (view: View, { starts, ends }: Places) => {
    const text = Buffer.from(view.bytes.subarray(0, view.length));
    for (const needle of parts.flatMap(needlesOf)) {
      const { before, after } = needle.edges ?? { before: undefined, after: undefined };
      const agrees = (at: number, edge: typeof before) =>
        edge === undefined ||
        ((base64Index(text[at] ?? 0) ?? ~edge.bits) & edge.mask) === edge.bits;
      for (
        let at = text.indexOf(needle.bytes);
        at !== -1;
        at = text.indexOf(needle.bytes, at + 1)
      ) {
        const end = at + needle.bytes.length;
        if (!agrees(at - 1, before) || !agrees(end, after)) continue;
        const first = before === undefined ? at : at - 1;
        found.add(`${starts[first]}-${ends[after === undefined ? end - 1 : end]}`);
      }
    }
  };
  const lookInside = (view: View, places: Places) => {
    const twice = new View();
    readAllEscapes(view.bytes, 0, view.length, twice);
    look(twice, allEscapesPlaces(view.bytes, 0, view.length, places));
  };
  let mayHoldInner = false;
  const plain = new View();
  readPlain(bytes, plain);
  look(plain, plainPlaces(bytes));
  for (const syntax of Object.values(syntaxes)) {
    const view = new View();
    if (readEscaped(syntax, bytes, 0, bytes.length, view)) mayHoldInner = true;
    const places = escapedPlaces(syntax, bytes, 0, bytes.length, undefined);
    look(view, places);
    if (syntax !== backslashSyntax) continue;
    const twice = new View();
    readEscaped(syntax, view.bytes, 0, view.length, twice);
    look(twice, escapedPlaces(syntax, view.bytes, 0, view.length, places));
  }
  if (mayHoldInner) {
    const all = new View();
    readAllEscapes(bytes, 0, bytes.length, all);
    lookInside(all, allEscapesPlaces(bytes, 0, bytes.length, undefined));
  }
  for (const run of naiveRuns(bytes)) {
    const view = new View();
    readSeparated(bytes, run, view);
    look(view, separatedPlaces(bytes, run));
    lookInside(view, separatedPlaces(bytes, run));
  }
  return [...found].sort();
}

function searchFor(...values: readonly string[]): ValueSearch {
  const named = values.map((value, at) => ({ name: `KEY${at}`, token, value }));
  const search = createValueSearch(new BlockScanner(), named);
  assert.ok(search !== undefined, "the values are not searched for");
  return search;
}

describe("separated digits", () => {
  test("are found as by a regular expression, whatever surrounds them", () => {
    const random = createSeededRandom(308);
    const separators = [" ", ":", "-", "\n", ",", "g", "\xff"];
    for (let round = 0; round < 2000; round += 1) {
      const pieces = Array.from({ length: random.below(8) }, () => {
        const separator = random.pick(separators);
        const pairs = Array.from({ length: random.below(40) }, () =>
          random.bytes(1).toString("hex"),
        );
        return random.below(3) === 0
          ? random.pick(["a", "0", " ", "xyz", "61", ": "]).repeat(random.below(30))
          : pairs.join(separator) + random.pick(["", separator, " ", "f"]);
      });
      const text = Buffer.from(pieces.join(""), "latin1");
      const ends = new Map<number, number>();
      // The regular expression also finds each run without its first pairs.
      for (const { from, to } of naiveRuns(text))
        ends.set(to, Math.min(from, ends.get(to) ?? from));
      const expected = [...ends].map(([to, from]) => ({ from, to }));
      const runs = separatedRuns(text, 16);
      for (const run of expected) {
        const isFound = runs.some(({ from, to }) => from <= run.from && run.to <= to);
        assert.ok(isFound, `${JSON.stringify(run)} in ${text.toString("latin1")}`);
      }
      for (const { from, to } of runs) {
        const run = text.toString("latin1", from, to);
        assert.match(run, /^[0-9a-f]{2}([^0-9a-f])[0-9a-f]{2}(?:\1[0-9a-f]{2})*$/is);
      }
    }
  });
});

describe("the search of segments", () => {
  test("finds what a naive search of the whole text finds, and nothing else", () => {
    const random = createSeededRandom(306);
    for (let round = 0; round < 250; round += 1) {
      const { value, other } = randomPair(random, random.pick(["token", "text"]));
      const pieces = Array.from({ length: 1 + random.below(8) }, () => {
        const kind = random.below(4);
        if (kind === 0)
          return Buffer.alloc(random.below(2500), random.pick(["x", "\\\\x", "&&", "%"]));
        if (kind === 1) return escapeSoup(random, 10);
        const spelled = spell(random.pick(spellingNames), random.pick([value, other]));
        return kind === 2 ? spelled : spelled.subarray(random.below(3));
      });
      const text = Buffer.concat(pieces);
      const found = searchFor(value, other).find(text);
      const places = [...new Set(found.map(({ start, end }) => `${start}-${end}`))].sort();
      assert.deepEqual(places, findNaively(text, [value, other]), text.toString("latin1"));
    }
  });
});

describe("BlockScanner", () => {
  const textOf = (random: SeededRandom, alphabet: string, length: number) =>
    Buffer.from(Array.from({ length }, () => random.pick([...alphabet])).join(""), "latin1");

  function compare(random: SeededRandom, needles: readonly Buffer[], text: Buffer): void {
    const scanner = new BlockScanner();
    const view = new View();
    readPlain(text, view);
    const tables = buildPatternTables(needles, scanner.keys);
    const found: string[] = [];
    scanner.scan(view, tables, (needle, start) => {
      // An entry of needles that are alike but at their ends says that one of them may stand here.
      const bytes = needles[needle] ?? Buffer.alloc(0);
      if (start >= 0 && bytes.equals(text.subarray(start, start + bytes.length))) {
        found.push(`${needle}@${start}`);
      }
    });
    const expected: string[] = [];
    for (const [index, needle] of needles.entries()) {
      for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1)) {
        expected.push(`${index}@${at}`);
      }
    }
    assert.deepEqual(found.sort(), expected.sort(), `${random.below(1)} in ${text}`);
    assert.equal(scanner.work.lookups, Math.floor(text.length / 8) * tables.length);
  }

  test("finds what indexOf finds in texts of two letters", () => {
    const random = createSeededRandom(307);
    for (let round = 0; round < 400; round += 1) {
      const distinct = new Map<string, Buffer>();
      for (let count = 1 + random.below(6); count > 0; count -= 1) {
        const needle = textOf(random, "ab", 15 + random.below(30));
        distinct.set(needle.toString("latin1"), needle);
      }
      const needles = [...distinct.values()];
      const pieces = Array.from({ length: random.below(12) }, () => {
        const needle = random.pick(needles);
        const whole = random.below(2) === 0;
        return whole ? needle : needle.subarray(random.below(4), needle.length - random.below(4));
      });
      compare(random, needles, Buffer.concat([textOf(random, "ab", random.below(9)), ...pieces]));
    }
  });

  test("finds each of hundreds of needles that have their blocks in common", () => {
    const random = createSeededRandom(308);
    const shared = textOf(random, "abcdefgh", 40);
    const needles = Array.from({ length: 300 }, (_, at) => {
      const own = Buffer.from(at.toString(36).padStart(2, "0"));
      return at % 2 === 0 ? Buffer.concat([shared, own]) : Buffer.concat([own, shared]);
    });
    for (let round = 0; round < 20; round += 1) {
      const pieces = Array.from({ length: 6 }, () => {
        const needle = random.pick(needles);
        return needle.subarray(0, needle.length - random.below(2));
      });
      compare(random, needles, Buffer.concat([textOf(random, "ab", random.below(8)), ...pieces]));
    }
  });
});

describe("lastRelease", () => {
  const naively = (bytes: Buffer, from: number, releaseClass: "token" | "text") => {
    for (let at = bytes.length; at > from; at -= 1) {
      const before = bytes.toString("latin1", 0, at);
      if (/\n$/.test(before) ? !/[A-Za-z0-9+/_-]{16}\r?\n$/.test(before) : false) return at;
      if (releaseClass === "token" && !/[A-Za-z0-9._~+/=:%\\&#;\0\r\n-]$/.test(before)) return at;
    }
    return -1;
  };

  test("is where a naive implementation of its rule has it", () => {
    const random = createSeededRandom(309);
    for (let round = 0; round < 3000; round += 1) {
      const pieces = Array.from({ length: random.below(5) }, () =>
        random.pick(["\n", "\r\n", " ", "A".repeat(random.below(20)), "\r", "=", "b/", "\0", "é"]),
      );
      const bytes = Buffer.from(pieces.join(""), "utf8");
      const from = random.below(bytes.length + 1);
      for (const releaseClass of ["token", "text"] as const) {
        assert.equal(lastRelease(bytes, from, releaseClass), naively(bytes, from, releaseClass));
      }
    }
  });

  test("is never inside a form", () => {
    const random = createSeededRandom(310);
    for (let round = 0; round < 40; round += 1) {
      for (const releaseClass of ["token", "text"] as const) {
        const { value } = randomPair(random, releaseClass);
        for (const name of spellingNames) {
          const form = spell(name, value);
          for (let upTo = 1; upTo < form.length; upTo += 1) {
            assert.equal(
              lastRelease(form.subarray(0, upTo), 0, releaseClass),
              -1,
              `${name}: ${upTo}`,
            );
          }
        }
      }
    }
  });
});

describe("redactHead", () => {
  test("leaves no value in random lines, and keeps the lines apart", () => {
    const random = createSeededRandom(311);
    const { value } = randomPair(random, "token");
    const search = searchFor(value);
    for (let round = 0; round < 500; round += 1) {
      const lines = Array.from({ length: 1 + random.below(5) }, () => {
        const spelled = spell(random.pick(spellingNames), value).toString("latin1");
        const text = random.pick([value, spelled.replace(/[\r\n]/g, ""), "plain"]);
        const cut = random.below(3) === 0 ? text.slice(0, random.below(text.length)) : text;
        return random.pick([`X-Echo: ${cut}`, `${cut}: a`, `X: ${cut}\\`, `X:${cut}%`]);
      });
      const head = Buffer.from(["HTTP/1.1 200 OK", ...lines].join("\r\n"), "latin1");
      const redacted = redactHead(head, search, () => undefined).toString("latin1");
      assert.equal(redacted.split("\r\n").length, lines.length + 1);
      assert.equal(redacted.includes(value), false, redacted);
    }
  });
});

describe("CompressedPassage", () => {
  const value = "sk-ant-api03-qT7vX2mLp9ZrW4cKd8HsNf3bYg6JuEaR";

  async function pass(
    parts: readonly Buffer[],
  ): Promise<{ left: Buffer; refused: string | undefined }> {
    const search = searchFor(value);
    const budget = createBodyBudgets({ bytesPerSandboxMax: 8 * 1024 * 1024 }).of("sb-a");
    const passage = new CompressedPassage(
      {
        compression: "gzip",
        beginning: Buffer.alloc(0),
        decoders: new DecoderReservation(budget, "api.example.com"),
      },
      "api.example.com",
      () => search,
      () => undefined,
    );
    const waiting = [...parts];
    const source = {
      read: async () => {
        const part = waiting.shift();
        return part === undefined ? null : [part];
      },
    };
    const left: Buffer[] = [];
    try {
      for (;;) {
        const leaving = await passage.next(source);
        if (leaving === null) return { left: Buffer.concat(left), refused: undefined };
        left.push(...leaving);
      }
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error));
      return { left: Buffer.concat(left), refused: error.code };
    } finally {
      passage.close();
    }
  }

  test("always ends, with a beginning of what arrives", { timeout: 20_000 }, async () => {
    const random = createSeededRandom(312);
    for (let round = 0; round < 250; round += 1) {
      const bytes =
        random.below(3) === 0 ? random.bytes(60) : gzipSync(random.bytes(random.below(3000)));
      for (let change = random.below(3); change > 0; change -= 1) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      const cut = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
      const all = Buffer.concat([cut, random.bytes(random.pick([0, 0, 0, 20]))]);
      const parts = splitAtRandom(all, random.pick([3, 100, 5000]), random);
      const { left, refused } = await pass(parts);
      assert.deepEqual(left, refused === undefined ? all : all.subarray(0, left.length));
    }
  });

  test("passes archives that are complete, of many members, truncated or padded", async () => {
    const random = createSeededRandom(313);
    const member = gzipSync(Buffer.from("a line of text\n".repeat(300)));
    const archives = [
      member,
      Buffer.concat([member, member]),
      member.subarray(0, -9),
      Buffer.concat([member, Buffer.alloc(1024)]),
    ];
    for (const archive of archives) {
      for (const partMax of [1, 7, 100, 5000]) {
        const { left, refused } = await pass(splitAtRandom(archive, partMax, random));
        assert.equal(refused, undefined);
        assert.deepEqual(left, archive);
      }
    }
  });

  const hidden: Readonly<Record<string, Buffer>> = {
    alone: gzipSync(value),
    "before garbage": Buffer.concat([gzipSync(value), Buffer.from("garbage")]),
    "in a second member": Buffer.concat([gzipSync("a\n"), gzipSync(value)]),
    "in a member after zero bytes": Buffer.concat([
      gzipSync("a"),
      Buffer.alloc(9),
      gzipSync(value),
    ]),
    "in base64": gzipSync(Buffer.from(`x${value}y`).toString("base64")),
    "after its end": Buffer.concat([gzipSync("a"), Buffer.from(`\n${value}\n`)]),
    "cut short after it": gzipSync(
      Buffer.concat([Buffer.from(value), Buffer.alloc(50, "z")]),
    ).subarray(0, -9),
    "uncompressed in a block": gzipSync(value, { level: 0 }),
  };
  for (const [name, archive] of Object.entries(hidden)) {
    test(`refuses a value ${name}, wherever the parts end`, async () => {
      const random = createSeededRandom(314);
      for (const partMax of [1, 3, 10, 30, 1000]) {
        const parts = partMax === 1000 ? [archive] : splitAtRandom(archive, partMax, random);
        const { refused } = await pass(parts);
        assert.match(refused ?? "passed", /^(?:value_in_compressed_body|content_coding_invalid)$/);
      }
    });
  }
});
