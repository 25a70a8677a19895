import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { testSession } from "../testing/sessions.ts";
import { decideByAddress, decideByNames } from "./decide-stream.ts";
import { createSessionPolicy } from "./session-policy.ts";

const egressAllowlist = ["api.test", "api.test:8443", "tcp://db.test:5432"];
const policy = createSessionPolicy(testSession({ egressAllowlist }), new BlockScanner());
const unnamed = { address: "9.9.9.1", port: 5432, names: [], found: undefined };

describe("decideByNames", () => {
  test("allows what an entry opens for one of the names", () => {
    assert.deepEqual(decideByNames(policy, ["x.test", "db.test"], 5432), {
      kind: "tcp",
      name: "db.test",
    });
    assert.deepEqual(decideByNames(policy, ["api.test"], 8443), { kind: "https" });
  });

  test("allows nothing else: another name, another port, or no name", () => {
    assert.equal(decideByNames(policy, ["x.test"], 5432), undefined);
    assert.equal(decideByNames(policy, ["db.test"], 22), undefined);
    assert.equal(decideByNames(policy, ["db.test"], 8443), undefined);
    assert.equal(decideByNames(policy, [], 5432), undefined);
  });
});

describe("decideByAddress", () => {
  test("allows a stream to the host that has the address, and HTTPS by its port", () => {
    assert.deepEqual(decideByAddress(policy, { ...unnamed, found: "db.test" }), {
      kind: "tcp",
      name: "db.test",
    });
    assert.deepEqual(decideByAddress(policy, { ...unnamed, port: 8443 }), { kind: "https" });
  });

  test("refuses an address that no host of the list has, and a host that opens no stream", () => {
    assert.equal(decideByAddress(policy, unnamed).kind, "refused");
    assert.equal(decideByAddress(policy, { ...unnamed, found: "api.test" }).kind, "refused");
  });
});
