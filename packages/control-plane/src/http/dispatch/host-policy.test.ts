import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createHostPolicy } from "./host-policy.ts";

const policy = createHostPolicy({
  allowedHosts: ["oc.internal", "*.corp.example"],
  corsOrigins: [
    "https://app.example.com",
    "http://localhost:3000",
    "http://x.sandbox.corp.example",
  ],
  sandboxDomain: "sandbox.corp.example",
  publicUrl: "https://oc.example.com:8443/path",
});
const requestFor = (host: string | undefined, url = "/api/health") => ({
  url,
  headers: host === undefined ? {} : { host },
  rawHeaders: host === undefined ? [] : ["Host", host],
});
const host = (text: string | undefined, url?: string) => () =>
  policy.assertHost(requestFor(text, url));
const refused = { code: "host_not_allowed", status: 421 };

describe("HostPolicy.assertHost", () => {
  const allowed = [
    ...["127.0.0.1", "127.0.0.1:8080", "0.0.0.0:8080", "10.1.2.3", "[::1]", "[::1]:8080"],
    ...["[2001:db8::1]:80", "localhost", "LOCALHOST:8080", "localhost.", "localhost.:8080"],
    ...["oc.example.com", "OC.example.com.:443", "oc.internal:1", "a.b.corp.example"],
  ];
  for (const text of allowed) {
    test(`serves ${text}`, () => assert.doesNotThrow(host(text)));
  }

  const foreign = [
    ...["evil.test", "evil.test:8080", "127.0.0.1.evil.test", "localhost.evil.test", "evil.test."],
    ...["corp.example", "xoc.internal", "oc.example.com.evil.test", "1.2.3", "::1", "[::1"],
    ...["user@127.0.0.1", "127.0.0.1 evil.test", "localhost:x", "127.0.0.1:8080:8080", ".", ""],
  ];
  for (const text of foreign) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(host(text), refused));
  }

  test("names the settings that would allow it, and quotes no more than a part", () => {
    assert.throws(host("myserver:8080"), {
      message: /"myserver:8080".*OPENCOMPUTER_ALLOWED_HOSTS$/,
    });
    const open = createHostPolicy({
      allowedHosts: [],
      corsOrigins: [],
      publicUrl: undefined,
      sandboxDomain: "sandbox.localhost",
    });
    assert.throws(() => open.assertHost(requestFor(`${"x".repeat(9999)}.test`)), {
      message: /^.{1,400}OPENCOMPUTER_PUBLIC_URL set to where clients reach it$/s,
    });
  });

  test("takes a request without Host, which no browser sends, and refuses two", () => {
    assert.doesNotThrow(host(undefined));
    const twice = { rawHeaders: ["Host", "127.0.0.1", "hOST", "127.0.0.1"] };
    assert.throws(() => policy.assertHost({ ...requestFor("127.0.0.1"), ...twice }), {
      code: "invalid_request",
    });
  });

  test("holds both Host and the authority of an absolute target to it", () => {
    assert.doesNotThrow(host("127.0.0.1", "http://localhost/api/health"));
    assert.throws(host("127.0.0.1", "http://evil.test/api/health"), refused);
    assert.throws(host("evil.test", "http://127.0.0.1/api/health"), refused);
    assert.throws(host(undefined, "HTTP://evil.test/api/health"), refused);
  });
});

describe("HostPolicy.assertOrigin", () => {
  const from =
    (origin: string | undefined, to = "127.0.0.1:8080") =>
    () =>
      policy.assertOrigin({ host: to, ...(origin === undefined ? {} : { origin }) });

  test("takes none, its own, that of the public URL and listed hosts", () => {
    for (const origin of [
      ...[undefined, "http://127.0.0.1:8080", "https://127.0.0.1:8080"],
      ...["https://oc.example.com:8443", "http://oc.internal:3000", "https://a.corp.example"],
      ...["https://app.example.com", "http://localhost:3000"],
    ]) {
      assert.doesNotThrow(from(origin), String(origin));
    }
    assert.doesNotThrow(from("https://oc.example.com", "OC.example.com"));
  });

  test("refuses every other one", () => {
    for (const origin of [
      ...["http://evil.test", "http://127.0.0.1:3000", "http://localhost:8080", "null", ""],
      ...["http://127.0.0.1:8080.evil.test", "file://", "https://oc.example.com", "oc.internal"],
      ...["https://sb-a-p80.sandbox.corp.example", "http://x.sandbox.corp.example"],
      ...["http://app.example.com", "https://app.example.com:8443", "https://a.app.example.com"],
      ...["chrome-extension://oc.internal", "http://evil.test#http://127.0.0.1:8080"],
    ]) {
      assert.throws(from(origin), { code: "origin_not_allowed", status: 403 }, origin);
    }
  });
});

describe("HostPolicy.isCorsOrigin", () => {
  for (const origin of ["https://app.example.com", "http://localhost:3000"]) {
    test(`takes ${origin}`, () => assert.equal(policy.isCorsOrigin(origin), true));
  }

  const foreign = [
    ...["http://app.example.com", "https://app.example.com:8443", "https://app.example.com."],
    ...["https://evil.test", "https://app.example.com.evil.test", "http://localhost", "null", ""],
    // Neither listed hosts nor the own one are for CORS, and a preview's page never is.
    ...["https://oc.internal", "https://oc.example.com:8443", "http://x.sandbox.corp.example"],
  ];
  for (const origin of foreign) {
    test(`refuses ${JSON.stringify(origin)}`, () =>
      assert.equal(policy.isCorsOrigin(origin), false));
  }
});
