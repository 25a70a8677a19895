import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { bodyFormFor } from "../token-substitution/body-form.ts";
import { mediaTypeOf, statedCharsets } from "./media-type.ts";

describe("mediaTypeOf", () => {
  for (const [contentType, mediaType] of [
    ["Text/HTML;charset=utf-8", "text/html"],
    ["application/json", "application/json"],
    ["text/plain \t; a=b", "text/plain"],
    ["", ""],
  ] as const) {
    test(`${JSON.stringify(contentType)} is ${mediaType}`, () => {
      assert.equal(mediaTypeOf(contentType), mediaType);
    });
  }
});

describe("statedCharsets", () => {
  const certain = (...names: string[]) => names.map((name) => ({ name, isCertain: true }));
  const uncertain = (...names: (string | undefined)[]) =>
    names.map((name) => ({ name, isCertain: false }));

  for (const [parameters, charsets] of [
    ["", []],
    ["; a=b", []],
    [";charset=utf-8", certain("utf-8")],
    ["; Charset=UTF-8 ;a=b", certain("UTF-8")],
    ['; CHARSET = "utf-8"', certain("utf-8")],
    [';;\t; a="x; \\"y" ;\tcharset=utf-8;', certain("utf-8")],
    ["; profile=a/b,c; charset=utf-8", certain("utf-8")],
    ["; charset=", certain("")],
    ["; charset=a; charset=b", certain("a", "b")],
    ["; charset=utf-8, text/html; charset=utf-16", [...uncertain("utf-8"), ...certain("utf-16")]],
    ["; charset='utf-16'", uncertain("utf-16")],
    ['; charset=" utf-16"', uncertain("utf-16")],
    ['; charset="utf\\-1\\6"', uncertain("utf-16")],
    ['; charset="utf-16', uncertain("utf-16")],
    ['; charset=utf-8"x', uncertain("utf-8")],
    ["; charset=utf-8 x", uncertain("utf-8")],
    ["; x charset=utf-16", uncertain("utf-16")],
    ["; xcharset=utf-16", uncertain("utf-16")],
    ["; charset\xa0=utf-16", uncertain("utf-16")],
    ["; charset(comment)=utf-16", uncertain("utf-16")],
    ['; a="; charset=utf-16"', uncertain("utf-16")],
    [" charset=utf-16", uncertain("utf-16")],
    [", charset=utf-16", uncertain("utf-16")],
    ["; charset", uncertain("")],
    ["; charset*=utf-8''utf-16", uncertain(undefined)],
    ["; charset*0=utf-; charset*1*=16", uncertain(undefined, undefined)],
  ] as const) {
    test(`text/plain${parameters}`, () => {
      assert.deepEqual(statedCharsets(`text/plain${parameters}`), charsets);
    });
  }
});

/** How recipients find a charset that differ in quotes, semicolons, comments and RFC 2231. */
const recipients: readonly ((contentType: string) => string | undefined)[] = [
  (text) => /charset=([^;]*)/i.exec(text)?.[1],
  (text) => /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(text)?.[1],
  (text) => text.split("charset=").slice(1).at(-1),
  // Each parameter between two semicolons, quoted or not; the last wins.
  (text) => lastCharset(text.split(";").slice(1)),
  // The same, where quotes are respected.
  (text) => lastCharset((text.match(/(?:"(?:\\.|[^"\\])*"|[^;"])+/g) ?? []).slice(1)),
  (text) =>
    lastCharset(
      text
        .replace(/\([^)]*\)/g, "")
        .split(";")
        .slice(1),
    ),
];

function lastCharset(parameters: readonly string[]): string | undefined {
  const named = new Map<string, string>();
  for (const parameter of parameters) {
    const equals = parameter.indexOf("=");
    const name = parameter.slice(0, equals).trim().toLowerCase().replace(/\*.*$/, "");
    const before = parameter.includes("*1") ? (named.get(name) ?? "") : "";
    named.set(name, before + parameter.slice(equals + 1));
  }
  return named.get("charset");
}

describe("a sender that chooses the spelling", () => {
  test("cannot state UTF-16 to any recipient of a body that may have a value", () => {
    const random = createSeededRandom(20231);
    const words = [
      ...["charset", "charset", "Charset", "charset*", "charset*0", "charset*1", "x", "utf-8"],
      ...["utf-16", "utf-", "16", "=", "=", "=", ";", ";", ";", '"', "'", "\\", " ", ",", "(", ")"],
      ...["utf-8''", "\xa0", "\t"],
    ];
    let allowedCount = 0;
    let otherCount = 0;
    for (let round = 0; round < 30_000; round += 1) {
      const parts = Array.from({ length: 2 + random.below(10) }, () => random.pick(words));
      const type = `text/plain; ${parts.join("")}`;
      const read = recipients.map((recipient) => spelledOut(recipient(type) ?? ""));
      const isOther = read.includes("utf-16");
      const isAllowed = bodyFormFor([type]) !== undefined;
      assert.ok(!(isOther && isAllowed), JSON.stringify(type));
      if (isAllowed) allowedCount += 1;
      if (isOther) otherCount += 1;
    }
    assert.ok(allowedCount > 0 && otherCount > 0, `${allowedCount} and ${otherCount}`);
  });

  test("cannot make many words take long", () => {
    for (const word of ["charset", "charset=", 'charset="', "charset= ", "charset;", "charset\\"]) {
      const words = statedCharsets(`text/plain; ${word.repeat(20_000)}`);
      assert.equal(words.length, 20_000);
    }
  });
});

/** A name without quotes, escapes, white space and the prefix of RFC 2231. */
function spelledOut(value: string): string {
  return value
    .replace(/^.*''/, "")
    .replace(/[\s"'\\]/g, "")
    .toLowerCase();
}
