import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { UpstreamProtocols } from "../../upstream/upstream-protocols.ts";
import { SharedUpstream } from "./shared-upstream.ts";

const destination = { scheme: "http", host: "api.example.com" } as const;

function silentSocket(): Duplex {
  return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
}

test("SharedUpstream: an exchange that was given up while it waited takes nobody's turn", async () => {
  const shared = new SharedUpstream({
    dial: async () => silentSocket(),
    protocols: new UpstreamProtocols(),
    clock: { monotonicMilliseconds: () => 0 },
    watchdogs: { check: () => () => undefined },
    onActivity: () => undefined,
  });
  const never = new AbortController().signal;
  const leases = [];
  for (let open = 0; open < serviceLimits.http1UpstreamsPerConnectionMax; open += 1) {
    leases.push(await shared.open(destination, never));
  }
  const givenUp = new AbortController();
  const first = shared.open(destination, givenUp.signal);
  const second = shared.open(destination, never);
  givenUp.abort();
  await assert.rejects(first, /abandoned/);
  const [lease] = leases;
  assert.ok(lease);
  shared.give(lease, { isFit: true });
  assert.equal((await second).kind, "connection");
  shared.close();
});
