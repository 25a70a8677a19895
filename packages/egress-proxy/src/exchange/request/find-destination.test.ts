import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../../http/http-syntax-error.ts";
import { parseRequestHead } from "../../http1/request-head.ts";
import type { GuestConnection } from "../../listeners/guest-connection.ts";
import { admitted } from "../../testing/admissions.ts";
import { type Scheme, schemePorts } from "../../upstream/destination.ts";
import { Refusal } from "../failure/refusal.ts";
import { findDestination } from "./find-destination.ts";

function check(
  head: string,
  scheme: Scheme,
  serverName = "api.example.com",
  port: number = schemePorts[scheme],
) {
  const connection: GuestConnection = {
    socket: new Duplex(),
    scheme,
    port,
    sourceAddress: "198.18.4.6",
    sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
    serverName: scheme === "https" ? serverName : null,
    admission: admitted,
    protocol: "http/1.1",
  };
  return findDestination(connection, parseRequestHead(Buffer.from(head, "latin1")));
}

const get = (host: string, target = "/") => `GET ${target} HTTP/1.1\r\nHost: ${host}`;

describe("findDestination", () => {
  const allowed: { head: string; scheme: Scheme; target?: string; host?: string }[] = [
    { head: get("api.example.com"), scheme: "https" },
    { head: get("API.Example.COM"), scheme: "https" },
    { head: get("api.example.com."), scheme: "https" },
    { head: get("api.example.com:443"), scheme: "https" },
    { head: get("api.example.com:80"), scheme: "http" },
    { head: get("other.example.com"), scheme: "http", host: "other.example.com" },
    { head: get("93.184.216.34"), scheme: "http", host: "93.184.216.34" },
    { head: get("api.example.com", "/a?b"), scheme: "https", target: "/a?b" },
    {
      head: get("api.example.com", "https://api.example.com/a?b"),
      scheme: "https",
      target: "/a?b",
    },
    { head: get("api.example.com", "https://API.example.com:443"), scheme: "https" },
    { head: get("api.example.com", "https://api.example.com?q"), scheme: "https", target: "/?q" },
    { head: get("api.example.com", "http://api.example.com/"), scheme: "http" },
    { head: "OPTIONS * HTTP/1.1\r\nHost: api.example.com", scheme: "https", target: "*" },
  ];
  for (const { head, scheme, target = "/", host = "api.example.com" } of allowed) {
    test(`accepts ${JSON.stringify(head)} over ${scheme}`, () => {
      assert.deepEqual(check(head, scheme), { destination: { scheme, host }, target });
    });
  }

  test("on another port the Host header names it, and so does the destination", () => {
    const destination = { scheme: "https", host: "api.example.com:8443" };
    const name = "api.example.com";
    assert.deepEqual(check(get(`${name}:8443`), "https", name, 8443), { destination, target: "/" });
    const absolute = get(`${name}:8443`, `https://${name}:8443/a`);
    assert.deepEqual(check(absolute, "https", name, 8443), { destination, target: "/a" });
    for (const host of [name, `${name}:443`, `${name}:8444`, "other.example.com:8443"]) {
      assert.throws(() => check(get(host), "https", name, 8443), Refusal, host);
    }
    assert.throws(
      () => check(get(`${name}:8443`, `https://${name}/a`), "https", name, 8443),
      HttpSyntaxError,
    );
  });

  const malformed: { head: string; scheme?: Scheme }[] = [
    { head: "GET / HTTP/1.1" },
    { head: "GET / HTTP/1.0" },
    { head: `${get("api.example.com")}\r\nHost: api.example.com` },
    { head: `${get("api.example.com")}\r\nhost: evil.example` },
    { head: get("") },
    { head: get("api.example.com:") },
    { head: get("api.example.com:99999999") },
    { head: get("api.example.com:443:443") },
    { head: get("user@api.example.com") },
    { head: get("[::1]") },
    { head: get("api.example.com/x") },
    { head: get("api.example.com, evil.example") },
    { head: get("api example.com") },
    { head: get("*.example.com") },
    { head: get("api.example.com", "https://evil.example/") },
    { head: get("api.example.com", "http://api.example.com/") },
    { head: get("api.example.com", "https://user@api.example.com/") },
    { head: get("api.example.com", "https://api.example.com:444/") },
    { head: get("api.example.com", "https:///a") },
    { head: get("api.example.com", "ftp://api.example.com/") },
    { head: get("api.example.com", "api.example.com:443") },
    { head: get("api.example.com", "*") },
  ];
  for (const { head, scheme = "https" } of malformed) {
    test(`refuses ${JSON.stringify(head)} as malformed`, () => {
      assert.throws(() => check(head, scheme), HttpSyntaxError);
    });
  }

  const refused: { head: string; scheme?: Scheme; status: number }[] = [
    { head: get("evil.example"), status: 421 },
    { head: get("example.com"), status: 421 },
    { head: get("api.example.com:8443"), status: 421 },
    { head: get("api.example.com:80"), status: 421 },
    { head: get("api.example.com:443"), scheme: "http", status: 421 },
    { head: get("api.example.com:8080"), scheme: "http", status: 421 },
    { head: get("api.example.com", "api.example.com:443").replace("GET", "CONNECT"), status: 405 },
  ];
  for (const { head, scheme = "https", status } of refused) {
    test(`refuses ${JSON.stringify(head)} over ${scheme} with ${status}`, () => {
      assert.throws(
        () => check(head, scheme),
        (error: unknown) => error instanceof Refusal && error.status === status,
      );
    });
  }
});
