import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { GivenNames, usualAliasOf } from "../resolver/given-names.ts";
import { testSession } from "../testing/sessions.ts";
import { DialError } from "../upstream/destination.ts";
import { findStream } from "./find-stream.ts";

const egressAllowlist = [
  "api.test",
  "api.test:8443",
  "tcp://db.test:5432",
  "tcp://*.below.test:5432",
  "tcp://other.test:8443",
];
const policy = createSessionPolicy(testSession({ egressAllowlist }), new BlockScanner());
const addresses = new Map([
  ["db.test", ["9.9.9.1"]],
  ["other.test", ["9.9.9.2"]],
]);

function scenario(given: Record<string, string[]> = {}) {
  const givenNames = new GivenNames();
  for (const [name, list] of Object.entries(given)) {
    givenNames.record(policy.sandboxId, name, list);
  }
  const resolved: string[] = [];
  const find = (address: string, port: number) =>
    findStream(
      {
        givenNames,
        resolveHost: async (host) => {
          resolved.push(host);
          const found = addresses.get(host);
          if (found === undefined) throw new DialError("name_not_resolved", "it has no address");
          return found;
        },
      },
      policy,
      { address, port },
      AbortSignal.timeout(1_000),
    );
  return { find, resolved };
}

describe("findStream", () => {
  test("a stream is meant for the name that its address was given for", async () => {
    const { find, resolved } = scenario({ "db.test": ["8.8.8.8"], "x.below.test": ["8.8.4.4"] });
    assert.deepEqual(await find("8.8.8.8", 5432), { kind: "tcp", name: "db.test" });
    assert.deepEqual(await find("8.8.4.4", 5432), { kind: "tcp", name: "x.below.test" });
    assert.deepEqual(resolved, []);
  });

  test("of two names with one address the one whose port is open is meant", async () => {
    const { find } = scenario({ "db.test": ["8.8.8.8"], "api.test": ["8.8.8.8"] });
    assert.deepEqual(await find("8.8.8.8", 5432), { kind: "tcp", name: "db.test" });
    assert.deepEqual(await find("8.8.8.8", 8443), { kind: "https" });
  });

  test("HTTPS is found by its port: the server name decides later", async () => {
    const { find } = scenario({ "other.test": ["8.8.8.8"] });
    assert.deepEqual(await find("1.1.1.1", 8443), { kind: "https" });
    assert.deepEqual(await find("8.8.8.8", 8443), { kind: "tcp", name: "other.test" });
  });

  test("an address that this proxy did not give is recognized by exact names, once", async () => {
    const { find, resolved } = scenario();
    assert.deepEqual(await find("9.9.9.1", 5432), { kind: "tcp", name: "db.test" });
    assert.deepEqual(await find("9.9.9.1", 5432), { kind: "tcp", name: "db.test" });
    assert.deepEqual(resolved, ["db.test"]);
    assert.deepEqual(await find(usualAliasOf("db.test"), 5432), { kind: "tcp", name: "db.test" });
    assert.deepEqual(resolved, ["db.test"]);
  });

  test("everything else is refused, with what would allow it", async () => {
    const { find } = scenario({ "api.test": ["8.8.8.8"], "evil.test": ["169.254.0.1"] });
    const refused = async (address: string, port: number) => {
      const found = await find(address, port);
      assert.equal(found.kind, "refused");
      return found.kind === "refused" ? found : assert.fail();
    };
    const ofAllowed = await refused("8.8.8.8", 5432);
    assert.equal(ofAllowed.host, "api.test");
    assert.match(ofAllowed.reason, /tcp:\/\/api\.test:5432 in the egress allowlist would allow it/);
    assert.equal((await refused("169.254.0.1", 5432)).host, "evil.test");
    const byAddress = await refused("1.2.3.4", 5432);
    assert.equal(byAddress.host, null);
    assert.match(byAddress.reason, /port 5432 of 1\.2\.3\.4 is not open.*Connect by name/);
    assert.equal((await refused("8.8.8.8", 22)).host, "api.test");
  });
});
