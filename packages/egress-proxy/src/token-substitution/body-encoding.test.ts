import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import type { BodyForm } from "./body-form.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { BodySubstituter } from "./substitute-body.ts";

const value = "Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const table = policyOf([secretOf("KEY", "a", value)]).tokens.forDestination({
  scheme: "https",
  host: "api.example.com",
});

function substitute(parts: readonly Buffer[], form: BodyForm): string {
  const substituter = new BodySubstituter(table, form, new SeenSecrets());
  const out = [...parts.flatMap((part) => [...substituter.push(part)]), ...substituter.end()];
  return Buffer.concat(out).toString("latin1");
}

const utf16 = (text: string) => Buffer.from(text, "utf16le").toString("latin1");
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16().toString("latin1");
const utf32 = (text: string) => [...text].map((character) => `${character}\0\0\0`).join("");
const part = (head: string) => `--b\r\nContent-Disposition: form-data; name="k"\r\n${head}\r\n\r\n`;

/** What precedes a token in a body that its receiver reads in another encoding. */
const others: readonly (readonly [string, BodyForm, string])[] = [
  ["JSON in UTF-16LE", "json", utf16('{"k":"')],
  ["JSON in UTF-16BE", "json", utf16be('{"k":"')],
  ["JSON in UTF-32LE", "json", utf32('{"k":"')],
  ["text with a byte order mark, little-endian", "raw", "\xff\xfe"],
  ["JSON in UTF-32BE", "json", `\0\0\0{\0\0\0"\0\0\0k\0\0\0"\0\0\0:\0\0\0"`],
  ["JSON with a byte order mark, big-endian", "json", "\xfe\xff"],
  ["text in UTF-16LE, and much of it without zero bytes", "raw", utf16("a") + "N".repeat(900)],
  ["a form in UTF-16LE", "form", utf16("k=")],
  ["XML in EBCDIC", "raw", "\x4c\x6f\xa7\x94\x93\x40"],
  ["XML that declares GBK", "raw", '<?xml version="1.0" encoding="GBK"?><k>\x81 '],
  ["XML that declares UTF-7", "raw", "<?xml version='1.0'\tencoding = 'utf-7' ?><k>+ "],
  ["HTML that declares Shift_JIS", "raw", "<meta charset=shift_jis><p>"],
  [
    "HTML that declares ISO-2022-JP",
    "raw",
    '<meta http-equiv=Content-Type content="text/html; charset=ISO-2022-JP">\x1b$B ',
  ],
  ["a part in UTF-16", "multipart", part("Content-Type: text/plain; charset=utf-16le")],
  ["a part whose charset is quoted", "multipart", part('content-type: a/b; CHARSET = "ibm037"')],
  ["a part whose charset is encoded", "multipart", part("Content-Type: a/b; charset*=utf-8''gbk")],
  [
    "a part whose charset is cut",
    "multipart",
    part("Content-Type: a/b; charset*0=u; charset*1=tf-7"),
  ],
  ["a part in base64", "multipart", part("Content-Transfer-Encoding: base64")],
  ["a part in quoted-printable", "multipart", part("content-transfer-encoding:quoted-printable")],
  [
    "a form that states its charset",
    "multipart",
    '--b\r\nfoo: form-data; name="_charset_"\r\n\r\n',
  ],
  ["the name of a charset itself", "raw", "charset="],
];

/** What precedes one in a body that is read as ASCII. */
const same: readonly (readonly [string, BodyForm, string])[] = [
  ["JSON", "json", '{"charset=utf-16":"'],
  ["zero bytes alone", "raw", "\0\0\0\0\0\0"],
  ["a message with zero bytes", "utf8", "\0a charset=utf-16 \xc3\xa9"],
  ["XML", "raw", '<?xml version="1.0" encoding="UTF-8"?><k>'],
  ["XML without an encoding", "raw", '<?xml version="1.0"?><k encoding="">'],
  ["HTML", "raw", "<meta charset=utf-8><p>"],
  ["HTML in a charset of one byte a character", "raw", '<meta charset="windows-1252"><p>'],
  ["a part", "multipart", part("Content-Type: text/plain; charset=UTF-8")],
  ["a part with an encoded name", "multipart", part("X: filename*=utf-8''a; charset* b")],
  [
    "a part after a binary one",
    "multipart",
    `${part("Content-Type: image/png")}\0\0\r\n${part("")}`,
  ],
  ["a part of unchanged bytes", "multipart", part("Content-Transfer-Encoding: binary")],
  ["a name that begins like a charset field", "multipart", '--b\r\nname="_charset_x"\r\n\r\n'],
];

describe("a body that its receiver may read in another encoding", () => {
  for (const [bodies, expected] of [
    [others, token],
    [same, value],
  ] as const) {
    for (const [name, form, before] of bodies) {
      test(`${expected === token ? "no value after" : "a value after"} ${name}, split anywhere`, () => {
        const body = Buffer.from(`${before}${token}"`, "latin1");
        for (let cut = 0; cut < body.length; cut += 1) {
          const received = substitute([body.subarray(0, cut), body.subarray(cut)], form);
          assert.equal(received, `${before}${expected}"`, `split at ${cut}`);
        }
        const bytes = Array.from(body, (byte) => Buffer.from([byte]));
        assert.equal(substitute(bytes, form), `${before}${expected}"`);
      });
    }
  }

  test("what precedes a declaration becomes values", () => {
    const body = Buffer.from(`${token} <meta charset=gbk> ${token}`);
    assert.equal(substitute([body], "raw"), `${value} <meta charset=gbk> ${token}`);
  });
});
