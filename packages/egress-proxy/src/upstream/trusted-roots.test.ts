import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { SettingsError } from "@opencomputer/protocol/wire";
import { createTestAuthority } from "../testing/certificates.ts";
import { createUpstreamContext, readRoots } from "./trusted-roots.ts";

describe("readRoots", () => {
  const directory = mkdtempSync(join(tmpdir(), "egress-roots-"));
  after(() => rmSync(directory, { recursive: true }));
  const fileWith = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  test("reads every certificate of a file, whatever is between them", async () => {
    const [first, second] = [await createTestAuthority(), await createTestAuthority()];
    const text = `# one\n${first.certificatePem}\n# two\n${second.certificatePem}\n`;
    assert.equal(readRoots(fileWith("two.pem", text)).length, 2);
    createUpstreamContext(join(directory, "two.pem"));
  });

  const refused: [string, string, RegExp][] = [
    ["empty.pem", "", /has no certificate/],
    [
      "key.pem",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
      /has no certificate/,
    ],
    [
      "broken.pem",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      /malformed certificate, number 1/,
    ],
  ];
  for (const [name, text, message] of refused) {
    test(`refuses ${name}, naming the setting and the file`, () => {
      const path = fileWith(name, text);
      assert.throws(
        () => createUpstreamContext(path),
        (error: unknown) =>
          error instanceof SettingsError &&
          error.message.startsWith(`OPENCOMPUTER_EGRESS_CA_FILE: ${path} `) &&
          message.test(error.message),
      );
    });
  }

  test("refuses a file that does not exist", () => {
    assert.throws(() => readRoots(join(directory, "absent.pem")), /absent\.pem cannot be read/);
  });
});
