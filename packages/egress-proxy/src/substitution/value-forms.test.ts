import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BodyForm, bodyFormFor, echoedForms, writeInForm } from "./value-forms.ts";

describe("bodyFormFor", () => {
  const cases: [string | undefined, BodyForm][] = [
    ["application/json", "json"],
    ["Application/JSON; charset=utf-8", "json"],
    ["application/vnd.api+json", "json"],
    ["application/x-ndjson", "json"],
    ["application/x-www-form-urlencoded", "form"],
    ["multipart/form-data; boundary=x", "raw"],
    ["text/plain", "raw"],
    ["application/jsonish", "raw"],
    ["", "raw"],
    [undefined, "raw"],
  ];
  for (const [contentType, form] of cases) {
    test(`${contentType} is ${form}`, () => assert.equal(bodyFormFor(contentType), form));
  }
});

describe("writeInForm", () => {
  const value = 'a"b\\c\nd&e=f g/é+\u{1f511}!';

  test("json gives the value back when the document is parsed", () => {
    assert.equal(JSON.parse(`{"key":"${writeInForm(value, "json")}"}`).key, value);
  });

  test("form gives the value back when the form is parsed", () => {
    const form = new URLSearchParams(`key=${writeInForm(value, "form")}&other=1`);
    assert.deepEqual(
      [...form],
      [
        ["key", value],
        ["other", "1"],
      ],
    );
  });

  test("raw changes nothing", () => assert.equal(writeInForm(value, "raw"), value));

  test("a lone surrogate is no error", () => {
    assert.equal(writeInForm("a\ud800", "form"), "a%EF%BF%BD");
  });
});

describe("echoedForms", () => {
  const cases: { value: string; form: string }[] = [
    { value: "plain-value", form: "plain-value" },
    { value: "with-newline\n", form: "with-newline" },
    { value: 'quote"d', form: 'quote\\"d' },
    { value: "a/b/c", form: "a\\/b\\/c" },
    { value: "caf\u00e9", form: "caf\\u00e9" },
    { value: "a/b=c", form: "a%2Fb%3Dc" },
    { value: "a/b=c", form: "a%2fb%3dc" },
    { value: "a b&c", form: "a+b%26c" },
    { value: "a b/c", form: "a%20b/c" },
    { value: 'a<b>"c"&', form: "a&lt;b&gt;&quot;c&quot;&amp;" },
  ];
  for (const { value, form } of cases) {
    test(`${JSON.stringify(value)} may come back as ${form}`, () => {
      assert.ok(echoedForms(value).includes(form));
    });
  }

  test("are longest first and each there once", () => {
    const forms = echoedForms("a b/c");
    assert.deepEqual(
      [...forms].sort((a, b) => b.length - a.length),
      forms,
    );
    assert.equal(new Set(forms).size, forms.length);
  });
});
