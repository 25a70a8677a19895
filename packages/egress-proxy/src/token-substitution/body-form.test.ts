import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BodyForm, bodyFormFor, writeInForm } from "./body-form.ts";

describe("bodyFormFor", () => {
  const cases: [readonly string[], BodyForm | undefined][] = [
    [["application/json"], "json"],
    [["Application/JSON; charset=utf-8"], "json"],
    [["application/vnd.api+json"], "json"],
    [["application/x-ndjson"], "json"],
    [["application/x-www-form-urlencoded"], "form"],
    [['application/x-www-form-urlencoded;charset="ISO-8859-1"'], "form"],
    [["multipart/form-data; boundary=x"], "multipart"],
    [["text/plain; charset=windows-1252"], "raw"],
    [["text/plain"], "raw"],
    [["application/jsonish"], "raw"],
    [[""], "raw"],
    [[], "raw"],
    [["text/plain; charset=gbk"], undefined],
    [["application/json; charset=utf-16"], undefined],
    [["text/plain; charset=utf-8; charset=shift_jis"], undefined],
    [["text/plain; charset="], undefined],
    [["text/plain; charset='utf-8'"], undefined],
    [['application/json; charset="utf\\-16"'], undefined],
    [["application/json; charset*=utf-8''utf-16"], undefined],
    [["application/x-www-form-urlencoded; charset*0=utf-; charset*1=16"], undefined],
    [["application/json; charset (x) = utf-16"], undefined],
    [['application/json; a="; charset=utf-16"'], undefined],
    [["application/json, charset=utf-16"], undefined],
    [['multipart/form-data; boundary="a;b"; charset = "UTF-8" '], "multipart"],
    [["application/json", "text/plain"], undefined],
    [["application/json, text/plain"], undefined],
  ];
  for (const [contentTypes, form] of cases) {
    test(`${JSON.stringify(contentTypes)} is ${form}`, () => {
      assert.equal(bodyFormFor(contentTypes), form);
    });
  }
});

describe("writeInForm", () => {
  const value = 'a"b\\c\nd&e=f g/é+\u{1f511}!';

  test("json returns the value when the document is parsed", () => {
    assert.equal(JSON.parse(`{"key":"${writeInForm(value, "json")}"}`).key, value);
  });

  test("form returns the value when the form is parsed", () => {
    const form = new URLSearchParams(`key=${writeInForm(value, "form")}&other=1`);
    assert.deepEqual(
      [...form],
      [
        ["key", value],
        ["other", "1"],
      ],
    );
  });

  for (const form of ["raw", "utf8", "multipart"] as const) {
    test(`${form} changes nothing`, () => assert.equal(writeInForm(value, form), value));
  }

  test("a lone surrogate is not an error", () => {
    assert.equal(writeInForm("a\ud800", "form"), "a%EF%BF%BD");
  });
});
