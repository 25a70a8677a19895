import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostOfAuthority, parsePreviewHost, previewHostname } from "./preview-host.ts";

const domain = "sandbox.localhost";
const sandboxId = "sb-abcdefghij234567abcd";

describe("parsePreviewHost", () => {
  test("is the inverse of previewHostname", () => {
    for (const port of [1, 80, 3000, 65_535]) {
      const host = previewHostname({ sandboxId, port }, domain);
      assert.deepEqual(parsePreviewHost(host, domain), { sandboxId, port });
    }
  });

  for (const host of [
    domain,
    `.${domain}`,
    `${sandboxId}.${domain}`,
    `${sandboxId}-p.${domain}`,
    `${sandboxId}-p0.${domain}`,
    `${sandboxId}-p080.${domain}`,
    `${sandboxId}-p65536.${domain}`,
    `${sandboxId}-p70000.${domain}`,
    `${sandboxId}-p+80.${domain}`,
    `${sandboxId}-p80`,
    `${sandboxId}-p80.${domain}.example.com`,
    `${sandboxId}-p80.x${domain}`,
    `x.${sandboxId}-p80.${domain}`,
    `${sandboxId}x-p80.${domain}`,
    `SB-abcdefghij234567abcd-p80.${domain}`,
  ]) {
    test(`${host} is no preview`, () => assert.equal(parsePreviewHost(host, domain), undefined));
  }
});

describe("hostOfAuthority", () => {
  const cases: [string, string | undefined][] = [
    ["Example.COM", "example.com"],
    ["example.com:8080", "example.com"],
    ["example.com:", "example.com"],
    ["example.com.:80", "example.com"],
    ["[::1]:8080", "[::1]"],
    ["127.0.0.1", "127.0.0.1"],
    ["", undefined],
    [".", undefined],
    [":80", undefined],
    ["a b", undefined],
    ["user@example.com", undefined],
    ["example.com/x", undefined],
    ["example.com:80:80", undefined],
    ["example.com:x", undefined],
    [`${"a".repeat(254)}`, undefined],
  ];
  for (const [authority, host] of cases) {
    test(`${JSON.stringify(authority.slice(0, 40))} is ${host}`, () =>
      assert.equal(hostOfAuthority(authority), host));
  }

  test("what it returns is stable, lower-case and free of delimiters, whatever comes", () => {
    const pieces = [
      "sb-",
      sandboxId,
      "-p",
      "80",
      ".",
      ":",
      "/",
      "@",
      "[",
      "]",
      domain,
      "\0",
      "Ä",
      "%2e",
      " ",
    ];
    let state = 20_261_129;
    const next = (count: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * count);
    };
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: next(8) }, () => pieces[next(pieces.length)]).join("");
      const host = hostOfAuthority(text);
      if (host === undefined) continue;
      assert.match(host, /^(\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]]+)$/, text);
      assert.equal(host, host.toLowerCase());
      const preview = parsePreviewHost(host, domain);
      if (preview !== undefined) assert.equal(previewHostname(preview, domain), host);
    }
  });
});
