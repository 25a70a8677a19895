import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Answer, Packet } from "dns-packet";
import { startNameserver, type TestNameserver } from "../testing/nameserver.ts";
import { DialError } from "./destination.ts";
import { resolveHost } from "./resolve-host.ts";

const nameError: Packet = { flags: 3 };
const serverFailure: Packet = { flags: 2 };
const silence = undefined;

function record(type: "A" | "AAAA", data: string): Packet {
  const answer: Answer = { type, class: "IN", name: "x.test", ttl: 5, data };
  return { answers: [answer] };
}

describe("resolveHost", () => {
  let nameserver: TestNameserver;
  let responses: Record<string, Packet | undefined> = {};
  before(async () => {
    nameserver = await startNameserver((query) => responses[query.questions?.[0]?.type ?? ""]);
  });
  after(() => nameserver.close());

  const resolve = (signal = new AbortController().signal, timeoutMilliseconds = 2_000) =>
    resolveHost(
      { readNameservers: async () => [`127.0.0.1:${nameserver.port}`], timeoutMilliseconds },
      "x.test",
      signal,
    );

  const ipv4 = record("A", "8.8.8.8");
  const ipv6 = record("AAAA", "2606:4700::1");
  const found: [string, typeof responses, string[]][] = [
    ["both families, IPv4 first", { A: ipv4, AAAA: ipv6 }, ["8.8.8.8", "2606:4700::1"]],
    ["IPv4 alone", { A: ipv4, AAAA: {} }, ["8.8.8.8"]],
    ["IPv6 alone", { A: {}, AAAA: ipv6 }, ["2606:4700::1"]],
    ["IPv4 when there is no response for IPv6", { A: ipv4, AAAA: silence }, ["8.8.8.8"]],
  ];
  for (const [name, given, expected] of found) {
    test(`returns ${name}`, async () => {
      responses = given;
      assert.deepEqual(await resolve(), expected);
    });
  }

  const failed: [string, typeof responses, RegExp][] = [
    ["a name that does not exist", { A: nameError, AAAA: nameError }, /it has no address$/],
    ["a name without addresses", { A: {}, AAAA: {} }, /it has no address$/],
    ["a failing nameserver", { A: serverFailure, AAAA: serverFailure }, /no nameserver responded$/],
    ["a silent nameserver", { A: silence, AAAA: silence }, /no nameserver responded$/],
  ];
  for (const [name, given, message] of failed) {
    test(`rejects with the reason for ${name}`, async () => {
      responses = given;
      await assert.rejects(resolve(undefined, 100), (error: unknown) => {
        assert.ok(error instanceof DialError);
        assert.equal(error.failure, "name_not_resolved");
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test("stops when the signal aborts", async () => {
    responses = { A: silence, AAAA: silence };
    await assert.rejects(resolve(AbortSignal.timeout(20)), DialError);
  });
});

test("resolveHost: nameservers that cannot be read are named as the reason", async () => {
  const deps = {
    readNameservers: () => Promise.reject(new Error("ENOENT")),
    timeoutMilliseconds: 100,
  };
  await assert.rejects(
    resolveHost(deps, "x.test", new AbortController().signal),
    /x\.test could not be resolved: the proxy cannot read/,
  );
});
