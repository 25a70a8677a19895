import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DialError } from "./destination.ts";
import { rememberAddresses } from "./remember-addresses.ts";

const signal = new AbortController().signal;

function scenario() {
  const asked: string[] = [];
  let milliseconds = 1;
  const resolve = rememberAddresses(
    async (host) => {
      asked.push(host);
      if (host === "absent.test") throw new DialError("name_not_resolved", "it has no address");
      return ["93.184.216.34"];
    },
    { now: () => milliseconds },
  );
  return {
    asked,
    resolve: (host: string) => resolve(host, signal),
    pass(seconds: number) {
      milliseconds += seconds * 1000;
    },
  };
}

describe("rememberAddresses", () => {
  test("looks a host up once for all who ask within a moment, and then again", async () => {
    const { asked, resolve, pass } = scenario();
    const found = await Promise.all([resolve("db.test"), resolve("db.test"), resolve("b.test")]);
    assert.deepEqual(found, [["93.184.216.34"], ["93.184.216.34"], ["93.184.216.34"]]);
    assert.deepEqual(asked, ["db.test", "b.test"]);
    pass(4);
    await resolve("db.test");
    assert.equal(asked.length, 2);
    pass(2);
    await resolve("db.test");
    assert.deepEqual(asked, ["db.test", "b.test", "db.test"]);
  });

  test("remembers that a host has no address, too", async () => {
    const { asked, resolve, pass } = scenario();
    for (let time = 0; time < 3; time += 1) {
      await assert.rejects(resolve("absent.test"), { failure: "name_not_resolved" });
    }
    assert.deepEqual(asked, ["absent.test"]);
    pass(6);
    await assert.rejects(resolve("absent.test"));
    assert.equal(asked.length, 2);
  });
});
