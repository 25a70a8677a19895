import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { SecretNotUsableError } from "./secret-not-usable-error.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { substituteTarget } from "./substitute-target.ts";

const pathAndQuery = ["path", "query"];
const policy = policyOf([
  secretOf("BOTH", "a", "s/k&v=1 é#?%", [], pathAndQuery),
  secretOf("QUERY", "b", "query-value", [], ["query"]),
  secretOf("PATH", "c", "path-value", [], ["path"]),
  secretOf("NEITHER", "d", "neither-value"),
  secretOf("DOT", "e", ".", [], pathAndQuery),
  secretOf("DOTS", "0", "..", [], pathAndQuery),
  secretOf("CLIMBS", "1", "a/../b", [], pathAndQuery),
  secretOf("ESCAPED", "2", "%2e%2e", [], pathAndQuery),
  secretOf("BACKSLASH", "3", "..\\admin", [], pathAndQuery),
  secretOf("EMPTY", "4", "", [], pathAndQuery),
  secretOf("ELSEWHERE", "5", "other-value", ["other.example"], pathAndQuery),
  secretOf("LONG", "6", "v".repeat(60 * 1024), [], pathAndQuery),
]);
const table = policy.tokens.forDestination({ scheme: "https", host: "api.example.com" });
const token = {
  both: tokenOf("a"),
  query: tokenOf("b"),
  path: tokenOf("c"),
  neither: tokenOf("d"),
  dot: tokenOf("e"),
  dots: tokenOf("0"),
  climbs: tokenOf("1"),
  escaped: tokenOf("2"),
  backslash: tokenOf("3"),
  empty: tokenOf("4"),
  elsewhere: tokenOf("5"),
  long: tokenOf("6"),
};

function substitute(target: string) {
  const seen = new SeenSecrets();
  return { target: substituteTarget(target, table, seen), seen };
}

describe("substituteTarget", () => {
  const encoded = "s%2Fk%26v%3D1%20%C3%A9%23%3F%25";
  const cases: { given: string; expected: string; withheld?: [string, string][] }[] = [
    { given: "/", expected: "/" },
    { given: "*", expected: "*" },
    { given: `/v1?key=${token.both}&x=1`, expected: `/v1?key=${encoded}&x=1` },
    { given: `/v1?${token.query}=${token.query}`, expected: "/v1?query-value=query-value" },
    { given: `/bot${token.path}/getMe?a=1`, expected: "/botpath-value/getMe?a=1" },
    { given: `/${token.both}`, expected: `/${encoded}` },
    { given: `/${token.path}.json`, expected: "/path-value.json" },
    { given: `/../${token.path}/..`, expected: "/../path-value/.." },
    {
      given: `/${token.path}${token.path}?${token.query}`,
      expected: "/path-valuepath-value?query-value",
    },
    { given: `/?a=%41${token.query}`, expected: "/?a=%41query-value" },
    { given: `/?d=${token.dots}/${token.climbs}`, expected: "/?d=../a%2F..%2Fb" },
    {
      given: `/?k=${token.query.replaceAll("_", "%5F")}&l=${token.query.replace("_", "%5f")}`,
      expected: "/?k=query-value&l=query-value",
    },
    { given: `/?k=${tokenOf("f")}`, expected: `/?k=${tokenOf("f")}` },
    { given: "/?k=osb%5Fsealed%5Fx", expected: "/?k=osb%5Fsealed%5Fx" },
    {
      given: `/${token.query}?k=${token.path}`,
      expected: `/${token.query}?k=${token.path}`,
      withheld: [
        ["QUERY", "path"],
        ["PATH", "query"],
      ],
    },
    {
      given: `/${token.neither}?k=${token.neither}`,
      expected: `/${token.neither}?k=${token.neither}`,
      withheld: [
        ["NEITHER", "path"],
        ["NEITHER", "query"],
      ],
    },
    {
      given: `/?k=${token.elsewhere}`,
      expected: `/?k=${token.elsewhere}`,
      withheld: [["ELSEWHERE", "query"]],
    },
    {
      given: `/%81${token.path}?k=%e3${token.query}`,
      expected: `/%81${token.path}?k=%e3${token.query}`,
      withheld: [
        ["PATH", "path"],
        ["QUERY", "query"],
      ],
    },
    {
      given: `/%4${token.path}?k=%${token.query}`,
      expected: `/%4${token.path}?k=%${token.query}`,
      withheld: [
        ["PATH", "path"],
        ["QUERY", "query"],
      ],
    },
  ];
  for (const { given, expected, withheld = [] } of cases) {
    test(`makes ${given.replaceAll("osb_sealed_", "")} ${expected}`, () => {
      const result = substitute(given);
      assert.equal(result.target, expected);
      assert.deepEqual(
        result.seen.withheld.map(({ name, place }) => [name, place]),
        withheld,
      );
    });
  }

  const refused: [string, string][] = [
    ["a segment .", `/a/${token.dot}/b`],
    ["a segment ..", `/a/${token.dots}`],
    ["a value with a segment ..", `/${token.climbs}`],
    ["a value that is .. when it is decoded twice", `/${token.escaped}`],
    ["a value with .. before a backslash", `/${token.backslash}`],
    ["an empty value", `/a/${token.empty}/b`],
    ["a dot beside the token", `/a/.${token.dot}`],
    ["a dot beside any token", `/a/.${token.path}`],
    ["an escaped dot beside any token", `/a/%2e${token.path}/b`],
    ["a dot, escaped twice, beside any token", `/a/${token.path}%252e/b`],
    ["a dot behind an escaped slash beside any token", `/a/x%2f.${token.path}/b`],
    ["dots between tokens", `/${token.path}.${token.path}.`],
    ["dots before path parameters", `/..;${token.path}`],
  ];
  for (const [name, target] of refused) {
    test(`refuses ${name}, naming the secret and not the value`, () => {
      assert.throws(
        () => substitute(target),
        (error: unknown) =>
          error instanceof SecretNotUsableError &&
          error.place === "path" &&
          !/value-|path-value|admin/.test(error.message),
      );
    });
  }

  test("refuses a target that values make larger than a head may be", () => {
    assert.throws(() => substitute(`/?${`${token.long}`.repeat(1000)}`), /larger than/);
    assert.throws(() => substitute(`/${`${token.long}`.repeat(1000)}`), /larger than/);
  });

  test("keeps each value in its own segment or parameter of the URL", () => {
    const random = createSeededRandom(23);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = random.bytes(1 + random.below(8));
      const value = String.fromCharCode(...bytes.map((byte) => 0x20 + (byte % 0x5f)));
      const { tokens } = policyOf([secretOf("KEY", "a", value, [], pathAndQuery)]);
      const target = `/a/x${tokenOf("a")}y/b?k=${tokenOf("a")}&l=1`;
      let url: URL;
      try {
        const destination = { scheme: "https", host: "a.example" } as const;
        const seen = new SeenSecrets();
        const substituted = substituteTarget(target, tokens.forDestination(destination), seen);
        url = new URL(substituted, "https://a.example");
      } catch (error) {
        assert.ok(error instanceof SecretNotUsableError && /\./.test(value), value);
        continue;
      }
      const segments = url.pathname.split("/").map(decodeURIComponent);
      assert.deepEqual(segments, ["", "a", `x${value}y`, "b"]);
      assert.deepEqual(
        [...url.searchParams],
        [
          ["k", value],
          ["l", "1"],
        ],
      );
    }
  });
});

test("whether a target grows too large does not depend on the characters of a value", () => {
  const target = `/?${tokenOf("a").repeat(1456)}`;
  for (const value of ["a".repeat(180), "/".repeat(180)]) {
    const { tokens } = policyOf([secretOf("KEY", "a", value, [], ["query"])]);
    const values = tokens.forDestination({ scheme: "https", host: "api.example.com" });
    assert.throws(() => substituteTarget(target, values, new SeenSecrets()), /larger than/);
    assert.doesNotThrow(() => substituteTarget(`/?${tokenOf("a")}`, values, new SeenSecrets()));
  }
});
