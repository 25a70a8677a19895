import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { type Answer, type DecodedPacket, decode, encode } from "dns-packet";
import type { Refusal } from "../audit/audit-refusal.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createTestLog, testSession } from "../testing/sessions.ts";
import { optionsRecord } from "./dns-response.ts";
import { GivenNames, usualAliasOf } from "./given-names.ts";
import { Resolver, type ResolverDependencies } from "./resolver.ts";

const scanner = new BlockScanner();
const policyFrom = (session: EgressSession) => createSessionPolicy(session, scanner);

const allowlisted = policyFrom(testSession({ mode: "allowlisted" }));
const intercepted = policyFrom(testSession({ mode: "intercepted", egressAllowlist: [] }));

function scenario(forwardQuestion: ResolverDependencies["forwardQuestion"]) {
  const refusals: Refusal[] = [];
  const givenNames = new GivenNames();
  const resolver = new Resolver({
    forwardQuestion,
    isOperatorHost: (host) => host === "mapped.test",
    givenNames,
    judgeAddress: createAddressJudge([]),
    auditRefusal: (refusal) => refusals.push(refusal),
    log: createTestLog(),
  });
  return { refusals, resolver, givenNames };
}

function query(name: string, withOptions = false): Buffer {
  return encode({
    type: "query",
    id: 3,
    flags: 0x0100,
    questions: [{ name, type: "A", class: "IN" }],
    additionals: withOptions ? [optionsRecord()] : [],
  });
}

function responseOf(records: number): DecodedPacket {
  const answers: Answer[] = Array.from({ length: records }, (_, index) => ({
    type: "A",
    class: "IN",
    name: "api.example.com",
    ttl: 1,
    data: `8.8.8.${index % 256}`,
  }));
  return decode(encode({ type: "response", id: 1, answers }));
}

function packetOf(answers: Answer[]): DecodedPacket {
  return decode(encode({ type: "response", id: 1, answers }));
}

function dataOf(packet: DecodedPacket): unknown[] {
  return (packet.answers ?? []).map((record) => ("data" in record ? record.data : null));
}

const neverAsked = () => assert.fail("nothing may be forwarded");

describe("Resolver", () => {
  test("allowlisted: responds to other names with the gateway and forwards nothing", async () => {
    const { resolver, refusals } = scenario(neverAsked);
    const decoded = decode(
      (await resolver.respond(query("x.evil.test"), allowlisted, "udp")) ?? assert.fail(),
    );
    assert.equal(decoded.id, 3);
    assert.equal(decoded.flag_ra && decoded.flag_rd, true);
    assert.deepEqual(dataOf(decoded), ["169.254.0.1"]);
    assert.deepEqual(refusals, []);
  });

  test("allowlisted: an allowed name has its own addresses, in the spelling of the guest", async () => {
    const asked: string[] = [];
    const { resolver } = scenario(async ({ name }) => {
      asked.push(name);
      return packetOf([
        { type: "CNAME", class: "IN", name, ttl: 1, data: "cdn.test" },
        { type: "A", class: "IN", name: "cdn.test", ttl: 1, data: "8.8.8.8" },
        { type: "A", class: "IN", name: "cdn.test", ttl: 1, data: "10.0.0.1" },
      ]);
    });
    const message = query("ApI.example.com");
    const decoded = decode((await resolver.respond(message, allowlisted, "udp")) ?? assert.fail());
    assert.deepEqual(asked, ["api.example.com"]);
    assert.deepEqual(dataOf(decoded), ["cdn.test", "8.8.8.8"]);
    assert.equal(decoded.answers?.[0]?.name, "ApI.example.com");
  });

  const withoutAddress: [string, DecodedPacket | undefined][] = [
    ["is private", packetOf([{ type: "A", class: "IN", name: "a", ttl: 1, data: "10.0.0.1" }])],
    ["does not exist", decode(encode({ type: "response", flags: 3 }))],
    ["is IPv6", packetOf([{ type: "AAAA", class: "IN", name: "a", ttl: 1, data: "2606:4700::1" }])],
    ["is not found out", undefined],
  ];
  for (const [what, packet] of withoutAddress) {
    test(`allowlisted: a name whose address ${what} has the gateway's`, async () => {
      const { resolver } = scenario(async () => packet);
      const message = query("api.example.com");
      const response = await resolver.respond(message, allowlisted, "udp");
      assert.deepEqual(dataOf(decode(response ?? assert.fail())), ["169.254.0.1"]);
    });
  }

  test("allowlisted: what a name was given is noted, and names with other ports have an alias", async () => {
    const policy = policyFrom(
      testSession({ egressAllowlist: ["api.example.com", "mapped.test", "tcp://mapped.test:22"] }),
    );
    const { resolver, givenNames } = scenario(async ({ name }) =>
      packetOf([{ type: "A", class: "IN", name, ttl: 1, data: "8.8.8.8" }]),
    );
    const ask = async (name: string) =>
      dataOf(decode((await resolver.respond(query(name), policy, "udp")) ?? assert.fail()));
    const { sandboxId } = policy;
    assert.deepEqual(await ask("API.example.com"), ["8.8.8.8"]);
    assert.deepEqual(givenNames.namesAt(sandboxId, "8.8.8.8"), ["api.example.com"]);
    assert.deepEqual(await ask("mapped.test"), [usualAliasOf("mapped.test")]);
    assert.deepEqual(givenNames.namesAt(sandboxId, usualAliasOf("mapped.test")), ["mapped.test"]);
    assert.deepEqual(await ask("evil.test"), ["169.254.0.1"]);
    assert.equal(givenNames.lastNameOf(sandboxId), "evil.test");
  });

  test("intercepted: passes a response on with the guest's id", async () => {
    const { resolver } = scenario(async () => responseOf(2));
    const decoded = decode(
      (await resolver.respond(query("api.example.com"), intercepted, "udp")) ?? assert.fail(),
    );
    assert.equal(decoded.id, 3);
    assert.equal(decoded.answers?.length, 2);
  });

  test("a response too long for UDP is truncated, over TCP it is complete", async () => {
    const { resolver } = scenario(async () => responseOf(60));
    const plain =
      (await resolver.respond(query("api.example.com"), intercepted, "udp")) ?? assert.fail();
    assert.ok(plain.length <= 512);
    assert.equal(decode(plain).flag_tc, true);
    assert.equal(decode(plain).answers?.length, 0);
    const extended =
      (await resolver.respond(query("api.example.com", true), intercepted, "udp")) ?? assert.fail();
    assert.ok(extended.length <= 1232 && decode(extended).flag_tc);
    const whole =
      (await resolver.respond(query("api.example.com"), intercepted, "tcp")) ?? assert.fail();
    assert.equal(decode(whole).flag_tc, false);
    assert.equal(decode(whole).answers?.length, 60);
  });

  test("with EDNS a response of up to 1232 bytes fits in UDP", async () => {
    const { resolver } = scenario(async () => responseOf(20));
    const plain =
      (await resolver.respond(query("api.example.com"), intercepted, "udp")) ?? assert.fail();
    const extended =
      (await resolver.respond(query("api.example.com", true), intercepted, "udp")) ?? assert.fail();
    assert.equal(decode(plain).flag_tc, true);
    assert.equal(decode(extended).flag_tc, false);
    assert.equal(decode(extended).additionals?.[0]?.type, "OPT");
  });

  test("no nameserver, or one that throws, is a server failure", async () => {
    for (const forward of [async () => undefined, () => Promise.reject(new Error("x"))]) {
      const { resolver } = scenario(forward);
      const decoded = decode(
        (await resolver.respond(query("a.test"), intercepted, "udp")) ?? assert.fail(),
      );
      assert.equal((decoded.flags ?? 0) & 0xf, 2);
    }
  });

  test("a private address is removed and audited", async () => {
    const private10 = encode({
      type: "response",
      answers: [{ type: "A", class: "IN", name: "in.test", ttl: 1, data: "10.0.0.1" }],
    });
    const { resolver, refusals } = scenario(async () => decode(private10));
    const decoded = decode(
      (await resolver.respond(query("in.test"), intercepted, "udp")) ?? assert.fail(),
    );
    assert.deepEqual(decoded.answers, []);
    assert.match(refusals[0]?.reason ?? "", /not on the public internet: 10\.0\.0\.1/);
    assert.equal(refusals[0]?.host, "in.test");
  });

  test("questions beyond the limit are dropped until others are done", async () => {
    const open: ((response: undefined) => void)[] = [];
    const { resolver, refusals } = scenario(
      () => new Promise((resolve) => void open.push(resolve)),
    );
    const held = Array.from({ length: serviceLimits.dnsQuestionsPerSandboxMax }, () =>
      resolver.respond(query("slow.test"), intercepted, "udp"),
    );
    assert.equal(await resolver.respond(query("slow.test"), intercepted, "udp"), undefined);
    assert.match(refusals[0]?.reason ?? "", /too many DNS queries/);
    for (const resolve of open) resolve(undefined);
    await Promise.all(held);
    const next = resolver.respond(query("slow.test"), intercepted, "udp");
    assert.equal(open.length, serviceLimits.dnsQuestionsPerSandboxMax + 1);
    open.at(-1)?.(undefined);
    assert.notEqual(await next, undefined);
  });

  test("a malformed query gets an error code, a response gets nothing", async () => {
    const { resolver } = scenario(neverAsked);
    const message = query("a.test");
    message.writeUInt16BE(2, 4);
    const decoded = decode((await resolver.respond(message, allowlisted, "udp")) ?? assert.fail());
    assert.equal((decoded.flags ?? 0) & 0xf, 1);
    const response = encode({ type: "response", id: 3 });
    assert.equal(await resolver.respond(response, allowlisted, "udp"), undefined);
  });
});
