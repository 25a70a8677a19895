import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { openAuditStream } from "./audit-stream.ts";

describe("openAuditStream", () => {
  const directory = mkdtempSync(join(tmpdir(), "audit-stream-"));
  after(() => rmSync(directory, { recursive: true }));

  test("writes all of a text before it returns", () => {
    const path = join(directory, "stream");
    const descriptor = openSync(path, "a");
    const send = openAuditStream(descriptor);
    const text = "é\n".repeat(200_000);
    send(text);
    send("end\n");
    assert.equal(readFileSync(path, "utf8"), `${text}end\n`);
    closeSync(descriptor);
  });

  test("names the setting when the descriptor is not open", () => {
    assert.throws(() => openAuditStream(1022), /OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: .* 1022/);
  });
});
