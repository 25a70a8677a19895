import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WithheldReason } from "@opencomputer/protocol/api";
import { headerPlace, SeenSecrets } from "./seen-secrets.ts";
import { withheldField } from "./withheld-field.ts";

const secret = (name: string, withheldFor?: WithheldReason) => ({ name, withheldFor });

describe("SeenSecrets", () => {
  test("keeps each name once for each kind, and once for each place", () => {
    const seen = new SeenSecrets();
    for (let round = 0; round < 2; round += 1) {
      seen.noteSubstituted("A", "body");
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

  test("keeps where a token became its value, why one did not, and how often a value came back", () => {
    const seen = new SeenSecrets();
    for (const place of ["body", "query", "body"]) seen.noteSubstituted("A", place);
    seen.noteWithheld(secret("A"), "path");
    seen.noteWithheld(secret("B", "host"), "query");
    for (let round = 0; round < 3; round += 1) seen.note("redacted", "A");
    assert.deepEqual(seen.substitutedPlaces, [
      { name: "A", place: "body" },
      { name: "A", place: "query" },
    ]);
    assert.deepEqual(seen.withheldReasons, ["placement", "host"]);
    assert.deepEqual([...seen.redactedCounts], [["A", 3]]);
  });

  test("keeps a bounded number of each", () => {
    const seen = new SeenSecrets();
    for (let index = 0; index < 10_000; index += 1) {
      seen.noteSubstituted(`S${index}`, "body");
      seen.noteWithheld(secret("KEY"), headerPlace(`x-${index}`));
      seen.note("redacted", `S${index}`);
    }
    assert.equal(seen.substitutedPlaces.length, 256);
    assert.equal(seen.withheldReasons.length, 256);
    assert.equal(seen.redactedCounts.size, 256);
    assert.equal(seen.substituted.length, 256);
    assert.equal(seen.withheld.length, 256);
  });

  test("a place has the whole name of a field", () => {
    assert.equal(headerPlace("user-agent"), "header user-agent");
    assert.equal(headerPlace("x".repeat(9999)), `header ${"x".repeat(9999)}`);
  });
});

describe("withheldField", () => {
  test("is undefined when nothing was withheld", () => {
    const seen = new SeenSecrets();
    seen.noteSubstituted("A", "body");
    assert.equal(withheldField(seen), undefined);
  });

  test("names each secret with its place", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("GEMINI_KEY"), "query");
    seen.noteWithheld(secret("OTHER"), "header user-agent");
    assert.equal(withheldField(seen), "withheld=GEMINI_KEY (query), OTHER (header user-agent)");
  });

  test("names those that were revoked", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("OLD_KEY", "revoked"), "header authorization");
    seen.noteWithheld(secret("OTHER"), "query");
    seen.noteWithheld(secret("OLD_KEY", "revoked"), "body");
    assert.equal(
      withheldField(seen),
      "withheld=OLD_KEY (header authorization), OTHER (query), OLD_KEY (body); revoked=OLD_KEY",
    );
  });

  test("leaves out names that no secret can have, so that the field stays well-formed", () => {
    const seen = new SeenSecrets();
    seen.noteWithheld(secret("A\r\nSet-Cookie: x"), "query");
    assert.equal(withheldField(seen), undefined);
  });

  test("is no longer than 1 KiB, and ends with a complete member", () => {
    const seen = new SeenSecrets();
    for (let index = 0; index < 200; index += 1) seen.noteWithheld(secret(`NAME_${index}`), "body");
    const field = withheldField(seen) ?? "";
    assert.ok(field.length <= 1024 && field.length > 1000);
    assert.match(field, /NAME_\d+ \(body\)$/);
  });
});
