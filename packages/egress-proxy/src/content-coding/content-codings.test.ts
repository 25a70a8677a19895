import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ContentCodings, parseContentCodings } from "./content-codings.ts";

const plain: ContentCodings = { kind: "identity", hasOwnFraming: false };
const framed: ContentCodings = { kind: "identity", hasOwnFraming: true };
const compressed = (...compressions: ("gzip" | "deflate" | "br" | "zstd")[]): ContentCodings => ({
  kind: "compressed",
  compressions,
  hasOwnFraming: false,
});
const unknown = (name?: string): ContentCodings => ({ kind: "unknown", name });

describe("parseContentCodings", () => {
  const cases: [readonly string[], ContentCodings][] = [
    [[], plain],
    [[""], plain],
    [["identity"], plain],
    [["none"], plain],
    [["UTF-8"], plain],
    [["aws-chunked"], framed],
    [["gzip"], compressed("gzip")],
    [["X-GZip"], compressed("gzip")],
    [["deflate"], compressed("deflate")],
    [["br"], compressed("br")],
    [["zstd"], compressed("zstd")],
    [["aws-chunked, gzip"], { kind: "compressed", compressions: ["gzip"], hasOwnFraming: true }],
    [["identity, br, utf-8"], compressed("br")],
    [["gzip", "br, zstd"], compressed("gzip", "br", "zstd")],
    [["gzip, gzip, gzip, gzip"], unknown()],
    [["compress"], unknown("compress")],
    [["gzip, dcz"], unknown("dcz")],
    [["made-up"], unknown()],
    [["sk-Q7v2mX9Lp4ZtW8cKdR3"], unknown()],
    [["gzip;q=1"], unknown()],
    [["none, made-up"], unknown()],
  ];
  for (const [values, expected] of cases) {
    test(JSON.stringify(values), () => {
      assert.deepEqual(parseContentCodings(values), expected);
    });
  }
});
