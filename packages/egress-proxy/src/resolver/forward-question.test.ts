import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import { type Answer, encode, type Packet } from "dns-packet";
import { startNameserver, type TestNameserver } from "../testing/nameserver.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import type { DnsQuestion } from "./dns-question.ts";
import { filterResponse } from "./filter-response.ts";
import { acceptResponse, forwardQuestion } from "./forward-question.ts";

const question: DnsQuestion = {
  id: 9,
  recursionDesired: true,
  name: "api.example.com",
  type: "A",
  udpPayloadBytes: null,
};

function address(data: string): Answer {
  return { type: "A", class: "IN", name: "api.example.com", ttl: 30, data };
}

describe("forwardQuestion", () => {
  let nameserver: TestNameserver;
  let respond: (transport: string) => Packet | undefined = () => undefined;
  before(async () => {
    nameserver = await startNameserver((_query, transport) => respond(transport));
  });
  after(() => nameserver.close());

  const forward = (nameservers = ["127.0.0.1"], signal = AbortSignal.timeout(5_000)) =>
    forwardQuestion(
      { readNameservers: async () => nameservers, nameserverPort: nameserver.port },
      question,
      signal,
    );

  test("returns the response of a nameserver", async () => {
    respond = () => ({ answers: [address("8.8.8.8")] });
    assert.deepEqual((await forward())?.answers?.length, 1);
  });

  test("asks again over TCP when the response is truncated", async () => {
    respond = (transport) =>
      transport === "udp" ? { flags: 0x0200 } : { answers: [address("8.8.4.4")] };
    const [answer] = (await forward())?.answers ?? [];
    assert.ok(answer?.type === "A" && answer.data === "8.8.4.4");
  });

  test("asks the next nameserver when one refuses or does not exist", async () => {
    respond = () => ({ answers: [address("8.8.8.8")] });
    assert.notEqual(await forward(["127.0.0.9", "127.0.0.1"]), undefined);
    respond = () => ({ flags: 5 });
    assert.equal(await forward(["127.0.0.1", "127.0.0.1"]), undefined);
  });

  test("ignores a response with another id or question", async () => {
    for (const wrong of [
      { id: 1 },
      { questions: [{ name: "evil.test", type: "A", class: "IN" }] },
      { questions: [{ name: "api.example.com", type: "TXT", class: "IN" }] },
      { questions: [] },
    ] satisfies Packet[]) {
      respond = () => ({ answers: [address("6.6.6.6")], ...wrong });
      assert.equal(await forward(["127.0.0.1"], AbortSignal.timeout(60)), undefined);
    }
  });

  test("stops when the signal aborts", async () => {
    respond = () => undefined;
    assert.equal(await forward(["127.0.0.1", "127.0.0.1"], AbortSignal.timeout(30)), undefined);
  });
});

describe("acceptResponse", () => {
  const good = encode({
    type: "response",
    id: 9,
    questions: [{ name: "API.example.COM", type: "A", class: "IN" }],
    answers: [address("8.8.8.8")],
  });

  test("compares names without regard to case", () => {
    assert.notEqual(acceptResponse(good, 9, question), undefined);
    assert.equal(acceptResponse(good, 10, question), undefined);
  });

  test("refuses counts that the message cannot hold, before it decodes them", () => {
    const message = Buffer.from(good);
    message.writeUInt16BE(0xffff, 6);
    assert.equal(acceptResponse(message, 9, question), undefined);
  });

  test("fuzz: damaged responses never throw, nor does filtering what is accepted", () => {
    const random = createSeededRandom(5452);
    for (let round = 0; round < 20_000; round += 1) {
      const message = Buffer.from(good);
      for (let change = random.below(5); change > 0; change -= 1) {
        message[2 + random.below(message.length - 2)] = random.below(256);
      }
      const packet = acceptResponse(message, 9, question);
      if (packet === undefined) continue;
      for (const record of filterResponse(packet, createAddressJudge([])).response.answers)
        assert.notEqual(record.type, "AAAA");
    }
  });
});

describe("filterResponse", () => {
  const decoded = (packet: Packet) => {
    const message = encode({
      type: "response",
      id: 9,
      questions: [{ name: "api.example.com", type: "A", class: "IN" }],
      ...packet,
    });
    return acceptResponse(message, 9, question) ?? assert.fail("the response is well-formed");
  };

  test("removes private, denied and IPv6 addresses and keeps the rest", () => {
    const alias: Answer = {
      type: "CNAME",
      class: "IN",
      name: "api.example.com",
      ttl: 9,
      data: "b.test",
    };
    const six: Answer = { type: "AAAA", class: "IN", name: "b.test", ttl: 9, data: "2606:4700::1" };
    const { response, removedAddresses } = filterResponse(
      decoded({
        answers: [
          alias,
          ...["10.0.0.1", "8.8.8.8", "169.254.169.254", "9.9.9.9"].map(address),
          six,
        ],
      }),
      createAddressJudge(["9.9.9.0/24"]),
    );
    assert.deepEqual(
      response.answers.map((record) => ("data" in record ? record.data : null)),
      ["b.test", "8.8.8.8"],
    );
    assert.deepEqual(removedAddresses, ["10.0.0.1", "169.254.169.254", "9.9.9.9"]);
  });

  test("keeps the SOA record of an empty response and no other record", () => {
    const soa: Answer = {
      type: "SOA",
      class: "IN",
      name: "example.com",
      ttl: 9,
      data: { mname: "ns.example.com", rname: "hostmaster.example.com", serial: 1 },
    };
    const ns: Answer = { type: "NS", class: "IN", name: "example.com", ttl: 9, data: "ns.test" };
    const { response } = filterResponse(
      decoded({ flags: 3, authorities: [soa, ns], additionals: [address("10.0.0.1")] }),
      createAddressJudge([]),
    );
    assert.equal(response.responseCode, 3);
    assert.deepEqual(
      response.authorities.map((record) => record.type),
      ["SOA"],
    );
  });

  test("removes what an alias leads to at the reverse name of a private address, and keeps that of a public one", () => {
    const alias = (data: string): Answer => ({
      ...({ type: "CNAME", class: "IN", ttl: 9 } as const),
      ...{ name: "api.example.com", data },
    });
    const pointer = (name: string): Answer => ({
      ...({ type: "PTR", class: "IN", ttl: 9 } as const),
      ...{ name, data: `host-of.${name}` },
    });
    const zone = (name: string): Answer => ({
      ...({ type: "SOA", class: "IN", name, ttl: 9 } as const),
      data: { mname: "ns.corp", rname: "admin.corp", serial: 1 },
    });
    const filtered = (at: string, authority: string) => {
      const packet = decoded({ answers: [alias(at), pointer(at)], authorities: [zone(authority)] });
      const { response, removedAddresses } = filterResponse(packet, createAddressJudge([]));
      const records = [...response.answers, ...response.authorities];
      return [records.map(({ type }) => type), removedAddresses];
    };
    for (const name of ["5.0.0.10.in-addr.arpa", "5.0.0.10.IN-ADDR.ARPA", "1.0.0.0.ip6.arpa"]) {
      assert.deepEqual(filtered(name, "10.in-addr.arpa"), [["CNAME"], [name]]);
    }
    assert.deepEqual(filtered("8.8.8.8.in-addr.arpa", "8.in-addr.arpa"), [
      ["CNAME", "PTR", "SOA"],
      [],
    ]);
  });
});
