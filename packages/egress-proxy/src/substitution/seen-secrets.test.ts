import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headerPlace, SeenSecrets } from "./seen-secrets.ts";
import { withheldField } from "./withheld-field.ts";

const secret = (name: string, isRevoked = false) => ({ name, isRevoked });

describe("SeenSecrets", () => {
  test("keeps each name once for each kind, and once for each place", () => {
    const seen = new SeenSecrets();
    for (let round = 0; round < 2; round += 1) {
      seen.note("substituted", "A");
      seen.note("redacted", "A");
      seen.note("leaked", "B");
      seen.noteWithheld(secret("A"), "query");
      seen.noteWithheld(secret("A"), "path");
    }
    assert.deepEqual(seen.substituted, ["A"]);
    assert.deepEqual(seen.redacted, ["A"]);
    assert.deepEqual(seen.leaked, ["B"]);
    assert.deepEqual(seen.withheld, [
      { name: "A", place: "query" },
      { name: "A", place: "path" },
    ]);
  });

  test("keeps a bounded number of each", () => {
    const seen = new SeenSecrets();
    for (let index = 0; index < 10_000; index += 1) {
      seen.note("substituted", `S${index}`);
      seen.noteWithheld(secret("KEY"), headerPlace(`x-${index}`));
    }
    assert.equal(seen.substituted.length, 256);
    assert.equal(seen.withheld.length, 256);
  });

  test("a place has a bounded length, whatever field a guest makes up", () => {
    assert.equal(headerPlace("user-agent"), "header user-agent");
    assert.equal(headerPlace("x".repeat(9999)).length, 71);
  });
});

describe("withheldField", () => {
  test("is none when nothing was withheld", () => {
    const seen = new SeenSecrets();
    seen.note("substituted", "A");
    assert.equal(withheldField(seen), undefined);
  });

  test("names each secret with its place", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("GEMINI_KEY"), "query");
    seen.noteWithheld(secret("OTHER"), "header user-agent");
    assert.equal(withheldField(seen), "withheld=GEMINI_KEY (query), OTHER (header user-agent)");
  });

  test("says which of them were revoked", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("OLD_KEY", true), "header authorization");
    seen.noteWithheld(secret("OTHER"), "query");
    seen.noteWithheld(secret("OLD_KEY", true), "body");
    assert.equal(
      withheldField(seen),
      "withheld=OLD_KEY (header authorization), OTHER (query), OLD_KEY (body); revoked=OLD_KEY",
    );
  });

  test("leaves out a name that no secret has, so that the field stays a field", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("A\r\nSet-Cookie: x"), "query");
    assert.equal(withheldField(seen), undefined);
  });

  test("is no longer than 1 KiB, and ends with a whole member", () => {
    const seen = new SeenSecrets();
    for (let index = 0; index < 200; index += 1) seen.noteWithheld(secret(`NAME_${index}`), "body");
    const field = withheldField(seen) ?? "";
    assert.ok(field.length <= 1024 && field.length > 1000);
    assert.match(field, /NAME_\d+ \(body\)$/);
  });
});
