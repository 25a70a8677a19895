import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  endsInEscape,
  endsInPercentEscape,
  endsInsideCharacter,
  endsInWideByte,
} from "./open-escape.ts";

describe("endsInEscape", () => {
  const open = [
    "%",
    "a%4",
    "%25",
    "%254",
    "%25254",
    "\\",
    "\\\\",
    "%5C",
    "%5cu00",
    "\\u",
    "\\u00e",
    "\\u{1f",
    "\\U0001F60",
    "\\x4",
    "\\1",
    "&#",
    "&#x",
    "&#x4",
    "&#39",
    "\\u0025",
    "\\u005c",
    "\\\\u0025",
    "%26%23",
    "%26#x",
    "%25%32",
    "%25%35%63",
    "&#37;",
    "&#x25;",
    "&percnt;",
    "&amp;#",
    "%u00",
    "\\x25",
    "\\x{4",
    "\\o{14",
    "\\N{LATIN",
    "\\c",
    "\\00004",
    "\\a",
    "Subject: =?utf-8?Q?",
    "=?UTF-16?q?a=4",
    "=?gbk?B?abcd",
    "filename*=utf-16''",
    "; filename* = \"GBK'zh'a",
  ];
  for (const text of open) test(`${text} is open`, () => assert.equal(endsInEscape(text), true));

  const closed = [
    "",
    "Bearer ",
    "a=",
    "100% ",
    "%41",
    "%2541",
    "\\n",
    "\\\\n",
    "\\u00e9",
    "\\u{1f511}",
    "\\U0001F600",
    "\\x41",
    "&#39;",
    "&",
    "#",
    "user:",
    "&amp;",
    "\\u0041",
    "%26",
    "=?utf-8?Q?a?= ",
    "filename*=utf-8''",
    "a*=b",
    "it's = 'x'",
  ];
  for (const text of closed) {
    test(`${text} is closed`, () => assert.equal(endsInEscape(text), false));
  }
});

test("endsInPercentEscape treats a backslash as part of a name", () => {
  assert.equal(endsInPercentEscape("user%"), true);
  assert.equal(endsInPercentEscape("user%25%34"), true);
  assert.equal(endsInPercentEscape("CORP\\"), false);
  assert.equal(endsInPercentEscape("user:"), false);
});

describe("endsInWideByte", () => {
  for (const text of ["\x81", "a\xe3", "%81", "k=%e3", "%C3%BC"]) {
    test(`${JSON.stringify(text)} does`, () => assert.equal(endsInWideByte(text), true));
  }
  for (const text of ["", "a", "\x81a", "%41", "%7e", "81", "%8"]) {
    test(`${JSON.stringify(text)} does not`, () => assert.equal(endsInWideByte(text), false));
  }
});

describe("endsInsideCharacter", () => {
  const bytes = (text: string) => Buffer.from(text, "utf8").toString("latin1");
  for (const character of ["ü", "：", "😀"]) {
    test(`${character} is whole, and no beginning of it is`, () => {
      const whole = bytes(character);
      assert.equal(endsInsideCharacter(`a${whole}`), false);
      for (let end = 1; end < whole.length; end += 1) {
        assert.equal(endsInsideCharacter(`a${whole.slice(0, end)}`), true);
      }
    });
  }
  test("ASCII is whole", () => assert.equal(endsInsideCharacter("a"), false));
});
