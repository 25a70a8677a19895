import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { guestNetwork } from "@opencomputer/protocol";
import { rootFiles } from "./root-files.ts";

describe("rootFiles", () => {
  const contents = new Map(rootFiles().map((file) => [file.path, file]));

  test("sends names to the gateway's resolver alone", () => {
    assert.equal(
      contents.get("etc/resolv.conf")?.content,
      `nameserver ${guestNetwork.gatewayAddress}\n`,
    );
  });

  test("gives the machine no id, so that no two guests share one", () => {
    assert.equal(contents.get("etc/machine-id")?.content, "");
  });

  test("lets sudo read its rule", () => {
    assert.equal(contents.get("etc/sudoers.d/opencomputer")?.mode, 0o440);
  });

  test("has paths below the root only", () => {
    for (const path of contents.keys()) {
      assert.ok(!path.startsWith("/") && !path.split("/").includes(".."), path);
    }
  });
});
