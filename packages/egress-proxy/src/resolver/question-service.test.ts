import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EgressSession } from "@opencomputer/protocol";
import { limits } from "@opencomputer/protocol";
import { type Answer, type DecodedPacket, decode, encode } from "dns-packet";
import type { Refusal } from "../audit/audit-refusal.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessionPolicy } from "../sessions/session-policy.ts";
import { testSession } from "../testing/sessions.ts";
import { createTestLog } from "../testing/silent-log.ts";
import { createAddressJudge } from "../upstream/public-address.ts";
import { optionsRecord } from "./dns-answer.ts";
import type { ForwardQuestion } from "./forward-question.ts";
import { createAnswerMessage } from "./question-service.ts";

const scanner = new BlockScanner();
const policyFrom = (session: EgressSession) => createSessionPolicy(session, scanner);

const allowlisted = policyFrom(testSession({ mode: "allowlisted" }));
const intercepted = policyFrom(testSession({ mode: "intercepted", egressAllowlist: [] }));

function scenario(forwardQuestion: ForwardQuestion) {
  const refusals: Refusal[] = [];
  const answerMessage = createAnswerMessage({
    forwardQuestion,
    isOperatorHost: () => false,
    judgeAddress: createAddressJudge([]),
    auditRefusal: (refusal) => refusals.push(refusal),
    log: createTestLog(),
  });
  return { refusals, answerMessage };
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

function answerOf(records: number): DecodedPacket {
  const answers: Answer[] = Array.from({ length: records }, (_, index) => ({
    type: "A",
    class: "IN",
    name: "api.example.com",
    ttl: 1,
    data: `8.8.8.${index % 256}`,
  }));
  return decode(encode({ type: "response", id: 1, answers }));
}

const neverAsked: ForwardQuestion = () => assert.fail("nothing may be asked upstream");

describe("createAnswerMessage", () => {
  test("allowlisted: answers every name with the gateway and asks nobody", async () => {
    const { answerMessage, refusals } = scenario(neverAsked);
    const answer = decode(
      (await answerMessage(query("x.evil.test"), allowlisted, "udp")) ?? assert.fail(),
    );
    assert.equal(answer.id, 3);
    assert.equal(answer.flag_ra && answer.flag_rd, true);
    const [record] = answer.answers ?? [];
    assert.ok(record?.type === "A" && record.data === "169.254.0.1");
    assert.deepEqual(refusals, []);
  });

  test("intercepted: passes an answer on with the guest's id", async () => {
    const { answerMessage } = scenario(async () => answerOf(2));
    const answer = decode(
      (await answerMessage(query("api.example.com"), intercepted, "udp")) ?? assert.fail(),
    );
    assert.equal(answer.id, 3);
    assert.equal(answer.answers?.length, 2);
  });

  test("an answer too long for UDP is truncated, over TCP it is whole", async () => {
    const { answerMessage } = scenario(async () => answerOf(60));
    const plain =
      (await answerMessage(query("api.example.com"), intercepted, "udp")) ?? assert.fail();
    assert.ok(plain.length <= 512);
    assert.equal(decode(plain).flag_tc, true);
    assert.equal(decode(plain).answers?.length, 0);
    const extended =
      (await answerMessage(query("api.example.com", true), intercepted, "udp")) ?? assert.fail();
    assert.ok(extended.length <= 1232 && decode(extended).flag_tc);
    const whole =
      (await answerMessage(query("api.example.com"), intercepted, "tcp")) ?? assert.fail();
    assert.equal(decode(whole).flag_tc, false);
    assert.equal(decode(whole).answers?.length, 60);
  });

  test("with EDNS an answer of up to 1232 octets fits in UDP", async () => {
    const { answerMessage } = scenario(async () => answerOf(20));
    const plain =
      (await answerMessage(query("api.example.com"), intercepted, "udp")) ?? assert.fail();
    const extended =
      (await answerMessage(query("api.example.com", true), intercepted, "udp")) ?? assert.fail();
    assert.equal(decode(plain).flag_tc, true);
    assert.equal(decode(extended).flag_tc, false);
    assert.equal(decode(extended).additionals?.[0]?.type, "OPT");
  });

  test("no nameserver, or one that throws, is a server failure", async () => {
    for (const forward of [async () => undefined, () => Promise.reject(new Error("x"))]) {
      const { answerMessage } = scenario(forward);
      const answer = decode(
        (await answerMessage(query("a.test"), intercepted, "udp")) ?? assert.fail(),
      );
      assert.equal((answer.flags ?? 0) & 0xf, 2);
    }
  });

  test("a private address is taken out and audited", async () => {
    const private10 = encode({
      type: "response",
      answers: [{ type: "A", class: "IN", name: "in.test", ttl: 1, data: "10.0.0.1" }],
    });
    const { answerMessage, refusals } = scenario(async () => decode(private10));
    const answer = decode(
      (await answerMessage(query("in.test"), intercepted, "udp")) ?? assert.fail(),
    );
    assert.deepEqual(answer.answers, []);
    assert.match(refusals[0]?.reason ?? "", /not on the public internet: 10\.0\.0\.1/);
    assert.equal(refusals[0]?.host, "in.test");
  });

  test("questions beyond the limit are dropped until others are answered", async () => {
    const open: ((answer: undefined) => void)[] = [];
    const { answerMessage, refusals } = scenario(
      () => new Promise((resolve) => void open.push(resolve)),
    );
    const held = Array.from({ length: limits.dnsQuestionsPerSandboxMax }, () =>
      answerMessage(query("slow.test"), intercepted, "udp"),
    );
    assert.equal(await answerMessage(query("slow.test"), intercepted, "udp"), undefined);
    assert.match(refusals[0]?.reason ?? "", /too many questions/);
    for (const resolve of open) resolve(undefined);
    await Promise.all(held);
    const next = answerMessage(query("slow.test"), intercepted, "udp");
    assert.equal(open.length, limits.dnsQuestionsPerSandboxMax + 1);
    open.at(-1)?.(undefined);
    assert.notEqual(await next, undefined);
  });

  test("what is no question gets an error code, and what is an answer nothing", async () => {
    const { answerMessage } = scenario(neverAsked);
    const message = query("a.test");
    message.writeUInt16BE(2, 4);
    const answer = decode((await answerMessage(message, allowlisted, "udp")) ?? assert.fail());
    assert.equal((answer.flags ?? 0) & 0xf, 1);
    const response = encode({ type: "response", id: 3 });
    assert.equal(await answerMessage(response, allowlisted, "udp"), undefined);
  });
});
