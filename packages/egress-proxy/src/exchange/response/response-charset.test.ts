import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fieldOf } from "../../http/fields.ts";
import { startExchange } from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf } from "../../testing/http-policy.ts";
import { rawUpstream } from "../../testing/http-raw-upstream.ts";
import { refuseOtherCharset } from "./response-charset.ts";

const read = (...types: readonly string[]) =>
  refuseOtherCharset(
    {
      minorVersion: 1,
      status: 200,
      reason: "OK",
      fields: types.map((type) => fieldOf("Content-Type", type)),
    },
    "api.example.com",
  );

describe("the charset of a response", () => {
  for (const charset of [
    ...["IBM037", "ibm-037", "cp37", "CP1047", "x-IBM930", "IBM01140", "csIBM500", "cp20273"],
    ...[
      "utf-7",
      "UTF7",
      "unicode-1-1-utf-7",
      "utf-32",
      "UTF-32LE",
      "X-UTF-32BE-BOM",
      "ISO-10646-UCS-4",
    ],
    ...["EBCDIC-CP-US", "SCSU", "BOCU-1", "hz-gb-2312"],
  ]) {
    test(`${charset} is refused`, () => {
      assert.throws(() => read(`text/plain; charset=${charset}`), {
        code: "charset_not_supported",
      });
      assert.throws(() => read(`text/plain;a=b ; Charset = "${charset}"`), { status: 502 });
      assert.throws(() => read("text/plain", `text/plain;charset=${charset}`));
      for (const spelling of [
        `'${charset}'`,
        `" ${charset} "`,
        `"${charset}`,
        `"\\${charset.slice(0, 1)}${charset.slice(1)}"`,
        `utf-8; charset=${charset}`,
      ]) {
        assert.throws(() => read(`text/plain; charset=${spelling}`), { status: 502 }, spelling);
      }
    });
  }

  test("one that is encoded is refused, whatever it is", () => {
    for (const parameters of ["charset*=utf-8''IBM037", "charset*0=IBM; charset*1=037"]) {
      assert.throws(() => read(`text/plain; ${parameters}`), { code: "charset_not_supported" });
    }
  });

  test("one that passes, passes in every other spelling", () => {
    for (const spelling of ['"utf-8"', "'utf-8'", '"utf-8', 'utf-8"', "utf-8 x", '"\\utf-8"']) {
      read(`text/plain; charset=${spelling}`);
    }
    read("text/plain; charset", "text/html; charset utf-8", "text/html; title*=utf-8''a");
  });

  for (const charset of [
    ...["utf-8", "UTF8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16", "UTF-16LE", "gbk"],
    ...[
      "Shift_JIS",
      "euc-kr",
      "IBM437",
      "cp850",
      "IBM00858",
      "cp932",
      "cp1252",
      "x-IBM943",
      "big5",
    ],
    ...["none", "binary", "", "koi8-r", "ibm"],
  ]) {
    test(`${charset === "" ? "none" : charset} passes`, () =>
      read(`text/html; charset=${charset}`));
  }

  test("is judged where a value may be in the response, and for the text that it has", async (t) => {
    const value = "Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
    const body = "\xd8\xf7\xa5\xf2\x94\xe7";
    const type = "Content-Type: text/plain;charset=IBM037";
    const upstream = rawUpstream([
      `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ]);
    const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    for (const [secrets, status] of [
      [[secretOf("KEY", "a", value)], 502],
      [[], 200],
    ] as const) {
      const exchange = await startExchange({ policy: policyOf([...secrets]), ...upstream });
      t.after(() => exchange.close());
      const received = await exchange.send(get);
      assert.match(received, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(received.includes(body), status === 200);
    }
  });
});
