import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { rootCertificates } from "node:tls";
import { SettingsError } from "@opencomputer/protocol/wire";
import { readRoots } from "./trusted-roots.ts";

describe("readRoots", () => {
  const directory = mkdtempSync(join(tmpdir(), "trusted-roots-"));
  after(() => rmSync(directory, { recursive: true }));
  const fileWith = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  test("reads every certificate of a file, whatever is between them", () => {
    const [first, second] = rootCertificates;
    const path = fileWith("two.pem", `# one\n${first}\n# two\n${second}\n`);
    assert.deepEqual(readRoots("CA_FILE", path), [first, second]);
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
        () => readRoots("CA_FILE", path),
        (error: unknown) =>
          error instanceof SettingsError &&
          error.message.startsWith(`CA_FILE: ${path} `) &&
          message.test(error.message),
      );
    });
  }

  test("refuses a file that does not exist", () => {
    const path = join(directory, "absent.pem");
    assert.throws(() => readRoots("CA_FILE", path), /absent\.pem cannot be read/);
  });
});
