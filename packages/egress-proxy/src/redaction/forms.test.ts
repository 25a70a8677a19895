import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BlockScanner } from "./block-scanner.ts";
import { buildPatternTables } from "./pattern-table.ts";
import { lastRelease } from "./release.ts";
import { redactWhole } from "./stream-redactor.ts";
import { createValueSearch, type ValueSearch } from "./value-search.ts";

const token = `osb_sealed_${"a".repeat(32)}`;
const scanner = new BlockScanner();

function searchFor(...values: string[]): ValueSearch {
  const search = createValueSearch(
    scanner,
    values.map((value, index) => ({
      name: `KEY${index}`,
      token: `osb_sealed_${index.toString(16).repeat(32)}`.slice(0, 43),
      value,
    })),
  );
  assert.ok(search !== undefined, "the values are not searched for");
  return search;
}

function redact(value: string, text: Buffer | string): string {
  const search = createValueSearch(scanner, [{ name: "KEY", token, value }]);
  const bytes = typeof text === "string" ? Buffer.from(text, "utf8") : text;
  return redactWhole(bytes, search, () => undefined).toString("latin1");
}

const key = "sk-ant-api03-qT7vX2mLp9ZrW4cKd8HsNf3bYg6JuEaR";
const awkward = 'a/b&c+d"e\\f<9Q7x>%zR2kLm4 p=?Ü€😀Wv8Tn1';
const values = { key, awkward };

const hex = (text: string) => Buffer.from(text).toString("hex");
const json = (text: string) => JSON.stringify(text).slice(1, -1);
const codeUnits = (text: string) => {
  const all: number[] = [];
  for (let at = 0; at < text.length; at += 1) all.push(text.charCodeAt(at));
  return all;
};
const everyUnit = (text: string) =>
  codeUnits(text)
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("");
const everyByte = (text: string, digits = (byte: number) => byte.toString(16).padStart(2, "0")) =>
  [...Buffer.from(text)].map((byte) => `%${digits(byte)}`).join("");
const entities = (text: string, write: (point: number) => string) =>
  [...text].map((character) => write(character.codePointAt(0) ?? 0)).join("");

/** How others write a text; each has to be recognised for every value. */
const spellings: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "JavaScript's JSON": json,
  "JSON with escaped slashes": (text) => json(text).replaceAll("/", "\\/"),
  "Python's JSON": (text) =>
    json(text).replace(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  "Go's JSON": (text) =>
    json(text).replace(/[&<>]/g, (unit) => `\\u00${unit.charCodeAt(0).toString(16)}`),
  "\\u for every code unit": everyUnit,
  "\\U in upper case": (text) => everyUnit(text).toUpperCase().replaceAll("\\U", "\\u"),
  "JSON inside JSON": (text) => json(json(text)),
  "\\u inside JSON": (text) => json(everyUnit(text)),
  "JavaScript's encodeURIComponent": encodeURIComponent,
  "JavaScript's encodeURI": encodeURI,
  "Python's quote": (text) =>
    encodeURIComponent(text)
      .replace(/%2F/g, "/")
      .replace(/[!'()*]/g, (c) => `%${hex(c)}`),
  "percent for every byte": (text) => everyByte(text),
  "percent in upper case": (text) => everyByte(text).toUpperCase(),
  "percent for every other byte": (text) =>
    [...Buffer.from(text)]
      .map((byte, at) =>
        at % 2 === 0 || byte > 126 || byte === 0x25
          ? `%${byte.toString(16).padStart(2, "0")}`
          : String.fromCharCode(byte),
      )
      .join(""),
  "a form's field": (text) => new URLSearchParams({ k: text }).toString().slice(2),
  "HTML's five entities": (text) =>
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&#39;"),
  "HTML's names for punctuation": (text) =>
    text.replace(/[&/+="?\\%<>.:_-]/g, (character) => {
      const names: Record<string, string> = {
        "&": "amp",
        "/": "sol",
        "+": "plus",
        "=": "equals",
        '"': "quot",
        "?": "quest",
        "\\": "bsol",
        "%": "percnt",
        "<": "lt",
        ">": "gt",
        ".": "period",
        ":": "colon",
        _: "lowbar",
      };
      const name = names[character];
      return name === undefined ? character : `&${name};`;
    }),
  "decimal entities": (text) => entities(text, (point) => `&#${point};`),
  "hexadecimal entities": (text) => entities(text, (point) => `&#x${point.toString(16)};`),
  "padded entities": (text) =>
    entities(text, (point) => `&#X${point.toString(16).padStart(6, "0")};`),
  "bytes of Python": (text) => everyByte(text).replaceAll("%", "\\x"),
  "octal digits": (text) =>
    [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
  "a backslash before punctuation": (text) => text.replace(/[!-/:-@[-`{-~ ]/g, "\\$&"),
  "a dump of hexadecimal": (text) => hex(text).replace(/..(?=.)/g, "$& "),
  "a fingerprint": (text) =>
    hex(text)
      .toUpperCase()
      .replace(/..(?=.)/g, "$&:"),
  hexadecimal: hex,
  "hexadecimal in upper case": (text) => hex(text).toUpperCase(),
};

describe("forms of a value that become its token", () => {
  for (const [valueName, value] of Object.entries(values)) {
    for (const [name, spell] of Object.entries(spellings)) {
      test(`${name}, of the ${valueName}`, () => {
        assert.equal(redact(value, `<p>${spell(value)}</p>`), `<p>${token}</p>`);
        const others = spell(`${value.slice(0, -1)}~`);
        assert.equal(redact(value, others), Buffer.from(others).toString("latin1"));
      });
    }

    for (const alphabet of ["base64", "base64url"] as const) {
      for (const before of ["", "x", "xy", "xyz", "user:"]) {
        for (const after of ["", "1", "12", "123"]) {
          test(`${alphabet} between ${JSON.stringify(before)} and ${JSON.stringify(after)}, of the ${valueName}`, () => {
            const encoded = Buffer.from(before + value + after).toString(alphabet);
            const redacted = redact(value, `"${encoded}"`);
            assert.ok(redacted.includes(token), redacted);
            assert.ok(redacted.length < token.length + 16, redacted);
          });
        }
      }
    }

    for (const column of [4, 19, 60, 64, 76]) {
      for (const lineBreak of ["\n", "\r\n", "\\n", "\\r\\n", "%0D%0A", "&#10;"]) {
        test(`base64 wrapped at ${column} by ${JSON.stringify(lineBreak)}, of the ${valueName}`, () => {
          const encoded = Buffer.from(`before ${value} after`).toString("base64");
          const wrapped = (encoded.match(new RegExp(`.{1,${column}}`, "g")) ?? []).join(lineBreak);
          const redacted = redact(value, `{"content":"${wrapped}"}`);
          assert.ok(redacted.includes(token), redacted);
          assert.ok(redacted.length < token.length + 60, redacted);
        });
      }
    }

    test(`UTF-16 of either byte order, of the ${valueName}`, () => {
      const little = Buffer.from(`[${value}]`, "utf16le");
      const big = Buffer.from(little).swap16();
      for (const bytes of [little, big]) {
        const redacted = redact(value, bytes);
        assert.ok(redacted.includes(token));
        assert.ok(redacted.length <= token.length + 6);
      }
    });
  }
});

describe("forms in two layers of escapes", () => {
  const value = "nWJalrXU/nFEMI+K7MDENG=bPxRfiCYz3ExAmP9kEy";
  const layers: Record<string, string> = {
    "percent-encoding twice": encodeURIComponent(encodeURIComponent(value)),
    "HTML in Go's JSON": value.replace(/[+/=]/g, (c) => `\\u0026#${c.charCodeAt(0)};`),
    "HTML twice": value.replace(/[+/=]/g, (c) => `&amp;#x${c.charCodeAt(0).toString(16)};`),
    "PHP's JSON in a URL": encodeURIComponent(value.replaceAll("/", "\\/")),
    "JSON in HTML": value.replaceAll("/", "&bsol;/"),
    // As S3 writes the query of a presigned URL whose signature does not fit.
    "percent-encoding in a dump": hex(encodeURIComponent(value)).replace(/..(?=.)/g, "$& "),
    "base64 of a dump's bytes": hex(Buffer.from(value).toString("base64")).replace(
      /..(?=.)/g,
      "$&-",
    ),
  };
  for (const [name, spelled] of Object.entries(layers)) {
    test(name, () => {
      assert.equal(
        redact(value, `<p>${spelled}</p>`).replace(/-3d-3d|-3d/g, ""),
        `<p>${token}</p>`,
      );
    });
  }

  test("a run of pairs that is too short is unchanged, and so is one of another value", () => {
    const dump = hex(value).replace(/..(?=.)/g, "$& ");
    const others = [dump.slice(3), dump.slice(0, -3), `${dump.slice(0, 60)}-${dump.slice(61)}`];
    for (const other of others) assert.equal(redact(value, other), other);
  });
});

describe("lastRelease", () => {
  const released = (text: string) => lastRelease(Buffer.from(text), 0, "text");

  test("a line break releases, unless it may wrap base64, also base64 that is escaped", () => {
    assert.equal(released("a line of words\n"), 16);
    assert.equal(released("short\n"), 6);
    assert.equal(released("QUJDREVGR0hJSktMTU5P\n"), -1);
    assert.equal(released("QUJDREVG&#x2F;0hJSkt&#43;\r\n"), -1);
    assert.equal(released("QUJDREVG%2FR0hJSktM\n"), -1);
    assert.equal(released("QUJDREVGR0hJSktMTU5P\n\n"), 22);
  });
});

describe("lastRelease of class token", () => {
  const released = (text: string) => lastRelease(Buffer.from(text), 0, "token");

  test("a space releases, unless it may be in separated hexadecimal", () => {
    assert.equal(released("a word "), 7);
    assert.equal(released("a lone 7f "), 7);
    assert.equal(released("7f "), -1);
    assert.equal(released("7f 3a "), -1);
    assert.equal(released("x7f "), 4);
    assert.equal(released('"7f",'), 5);
  });
});

describe("complete and overlapping values", () => {
  test("text that matches in all bytes but one is unchanged", () => {
    for (let at = 0; at < key.length; at += 1) {
      const other = `${key.slice(0, at)}!${key.slice(at + 1)}`;
      assert.equal(redact(key, `a${other}b`), `a${other}b`);
    }
  });

  test("values that overlap become one token, and no byte of them passes", () => {
    const shared = "Zq8Xw3Lk9Vt2Rm5B";
    const search = searchFor(`aN4pT7cY${shared}`, `${shared}hJ6dQ1fG`);
    const text = Buffer.from(`[aN4pT7cY${shared}hJ6dQ1fG]`);
    assert.match(redactWhole(text, search, () => undefined).toString(), /^\[osb_sealed_0{32}\]$/);
  });

  test("of two values that begin together the longer wins", () => {
    const search = searchFor(key, `${key}9dK2`);
    const redacted = redactWhole(Buffer.from(`[${key}9dK2]`), search, () => undefined);
    assert.match(redacted.toString(), /^\[osb_sealed_1{32}\]$/);
  });

  test("adjacent values become two tokens", () => {
    assert.equal(redact(key, `${key}${key}`), `${token}${token}`);
  });

  test("a value right after the beginning of an escape is found", () => {
    for (const before of ["\\", "%", "&", "\\u", "%4", "&#", "\\\\", "\\u00"]) {
      assert.equal(redact(key, `${before}${key}`), `${before}${token}`);
    }
  });

  test("line breaks around a value stay", () => {
    assert.equal(redact(key, `a\r\n${key}\r\nb\n`), `a\r\n${token}\r\nb\n`);
  });

  test("values of several lines are found line by line and as base64 of the whole file's lines", () => {
    const line = key.replaceAll("-", "");
    const pem = `-----BEGIN PRIVATE KEY-----\n${line}\n${line.toLowerCase()}9\n-----END PRIVATE KEY-----\n`;
    const redacted = redact(pem, pem);
    assert.equal(redacted.includes(line), false);
    assert.equal(redact(pem, JSON.stringify({ pem })).includes(line), false);
  });

  test("of a DSN only the password is replaced", () => {
    const password = key.replaceAll("-", "");
    const dsn = `postgres://app:${password}@db.example.com/x`;
    assert.equal(redact(dsn, dsn), `postgres://app:${token}@db.example.com/x`);
  });

  test("values that differ only in their last bytes share tables, and each is found", () => {
    const alike = Array.from({ length: 300 }, (_, at) => `${key}${String(at).padStart(3, "0")}`);
    const needles = alike.map((value) => Buffer.from(value));
    assert.ok(buildPatternTables(needles, scanner.keys).length <= 3);
    const search = searchFor(...alike);
    const names: string[] = [];
    const text = Buffer.from(`${key} ${alike[7]} ${key}30 ${alike[299]}`);
    redactWhole(text, search, (name) => names.push(name));
    assert.deepEqual(names, ["KEY7", "KEY299"]);
  });

  const count = process.env["OPENCOMPUTER_TEST_FULL"] === "1" ? 10_000 : 1000;
  test(`${count} values are searched for like one`, () => {
    const many = Array.from(
      { length: count },
      (_, at) => `${hex(`${at}`).padStart(12, "f")}Zq8Xw3Lk9Vt2Rm5B`,
    );
    const search = searchFor(...many);
    const text = Buffer.from(`${many[17]} ${many[count - 1]} ${"f".repeat(300)}`);
    const names: string[] = [];
    redactWhole(text, search, (name) => names.push(name));
    assert.deepEqual(names, ["KEY17", `KEY${count - 1}`]);
  });
});
