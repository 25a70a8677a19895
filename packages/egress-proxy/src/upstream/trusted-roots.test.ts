import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { createTestAuthority } from "../testing/certificates.ts";
import { createUpstreamContext } from "./trusted-roots.ts";

describe("createUpstreamContext", () => {
  const directory = mkdtempSync(join(tmpdir(), "egress-roots-"));
  after(() => rmSync(directory, { recursive: true }));

  test("takes the operator's roots, and refuses a file without, naming the setting", async () => {
    const path = join(directory, "roots.pem");
    writeFileSync(path, (await createTestAuthority()).certificatePem);
    createUpstreamContext(path);
    writeFileSync(path, "no certificate");
    assert.throws(() => createUpstreamContext(path), {
      name: "SettingsError",
      message: `OPENCOMPUTER_EGRESS_CA_FILE: ${path} has no certificate, expected one or more in PEM form`,
    });
  });
});
