import assert from "node:assert/strict";
import { test } from "node:test";
import { readOtherPorts } from "./other-ports.ts";

test("readOtherPorts: each entry opens its port of its hosts, and nothing else", () => {
  const ports = readOtherPorts([
    "a.test",
    "b.test:8443",
    "tcp://db.test:5432",
    "tcp://*.db.test:5432",
    "tcp://git.test:22",
  ]);
  assert.equal(ports.hasHost("a.test"), true);
  assert.equal(ports.hasHost("x.db.test"), true);
  assert.equal(ports.hasHost("x.a.test"), false);
  assert.equal(ports.hasPortOf("a.test"), false);
  assert.equal(ports.hasPortOf("b.test"), true);
  assert.equal(ports.hasHttps(8443), true);
  assert.equal(ports.hasHttps(5432), false);
  assert.equal(ports.allowsStream("db.test", 5432), true);
  assert.equal(ports.allowsStream("x.db.test", 5432), true);
  assert.equal(ports.allowsStream("db.test", 22), false);
  assert.equal(ports.allowsStream("b.test", 8443), false);
  assert.deepEqual(ports.exactStreamHosts(5432), ["db.test"]);
  assert.deepEqual(ports.exactStreamHosts(8443), []);
});
