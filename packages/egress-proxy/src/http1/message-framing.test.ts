import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import type { Framing } from "../http/message-heads.ts";
import { requestFraming, responseFraming } from "./message-framing.ts";
import { parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";

const framings: { fields: string; version?: string; framing: Framing }[] = [
  { fields: "", framing: { kind: "none" } },
  { fields: "\r\nContent-Length: 0", framing: { kind: "none" } },
  { fields: "\r\nContent-Length: 12", framing: { kind: "length", length: 12 } },
  { fields: "\r\ncontent-length: 007", framing: { kind: "length", length: 7 } },
  { fields: "\r\nTransfer-Encoding: chunked", framing: { kind: "chunked" } },
  { fields: "\r\nTransfer-Encoding: Chunked", framing: { kind: "chunked" } },
  {
    fields: "\r\nContent-Length: 5",
    version: "HTTP/1.0",
    framing: { kind: "length", length: 5 },
  },
];

/** Each of these has let one request hide inside another somewhere. */
const smuggling: { name: string; fields: string; version?: string }[] = [
  {
    name: "both framings",
    fields: "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
  },
  {
    name: "both framings the other way round",
    fields: "\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
  },
  { name: "two lengths", fields: "\r\nContent-Length: 5\r\nContent-Length: 6" },
  { name: "the same length twice", fields: "\r\nContent-Length: 5\r\nContent-Length: 5" },
  { name: "a list of lengths", fields: "\r\nContent-Length: 5, 5" },
  { name: "a negative length", fields: "\r\nContent-Length: -1" },
  { name: "a signed length", fields: "\r\nContent-Length: +1" },
  { name: "a hexadecimal length", fields: "\r\nContent-Length: 0x10" },
  { name: "an empty length", fields: "\r\nContent-Length:" },
  { name: "a length with a space", fields: "\r\nContent-Length: 1 0" },
  { name: "a length that no number holds", fields: "\r\nContent-Length: 99999999999999999999" },
  { name: "another coding", fields: "\r\nTransfer-Encoding: gzip" },
  { name: "a coding before chunked", fields: "\r\nTransfer-Encoding: gzip, chunked" },
  { name: "a coding after chunked", fields: "\r\nTransfer-Encoding: chunked, identity" },
  { name: "chunked twice", fields: "\r\nTransfer-Encoding: chunked, chunked" },
  {
    name: "chunked in two fields",
    fields: "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  },
  { name: "chunked with a parameter", fields: "\r\nTransfer-Encoding: chunked;q=1" },
  { name: "chunked in disguise", fields: "\r\nTransfer-Encoding: xchunked" },
  { name: "an empty coding", fields: "\r\nTransfer-Encoding:" },
  { name: "chunked in HTTP/1.0", fields: "\r\nTransfer-Encoding: chunked", version: "HTTP/1.0" },
];

describe("requestFraming", () => {
  for (const { fields, version = "HTTP/1.1", framing } of framings) {
    test(`${version}${JSON.stringify(fields)} is ${framing.kind}`, () => {
      const head = parseRequestHead(Buffer.from(`POST / ${version}${fields}`));
      assert.deepEqual(requestFraming(head), framing);
    });
  }
  for (const { name, fields, version = "HTTP/1.1" } of smuggling) {
    test(`refuses ${name}`, () => {
      const head = parseRequestHead(Buffer.from(`POST / ${version}${fields}`));
      assert.throws(() => requestFraming(head), HttpSyntaxError);
    });
  }
});

describe("responseFraming", () => {
  const framed = (line: string, method: string) =>
    responseFraming(parseResponseHead(Buffer.from(line)), method);
  const cases: { line: string; method?: string; kind: Framing["kind"] }[] = [
    { line: "HTTP/1.1 200 OK", kind: "until_close" },
    { line: "HTTP/1.0 200 OK", kind: "until_close" },
    { line: "HTTP/1.1 200 OK\r\nContent-Length: 3", kind: "length" },
    { line: "HTTP/1.1 200 OK\r\nContent-Length: 0", kind: "none" },
    { line: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", kind: "chunked" },
    { line: "HTTP/1.1 200 OK\r\nContent-Length: 3", method: "HEAD", kind: "none" },
    { line: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", method: "HEAD", kind: "none" },
    { line: "HTTP/1.1 204 No Content\r\nContent-Length: 3", kind: "none" },
    { line: "HTTP/1.1 304 Not Modified\r\nContent-Length: 3", kind: "none" },
    { line: "HTTP/1.1 103 Early Hints", kind: "none" },
  ];
  for (const { line, method = "GET", kind } of cases) {
    test(`${JSON.stringify(line)} to ${method} is ${kind}`, () => {
      assert.equal(framed(line, method).kind, kind);
    });
  }
  for (const { name, fields, version = "HTTP/1.1" } of smuggling) {
    for (const method of ["GET", "HEAD"]) {
      test(`refuses ${name} in the response to ${method}`, () => {
        assert.throws(() => framed(`${version} 200 OK${fields}`, method), HttpSyntaxError);
      });
    }
  }
});
