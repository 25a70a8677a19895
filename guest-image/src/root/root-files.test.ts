import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { guestNetwork } from "@opencomputer/protocol/wire";
import { rootFiles } from "./root-files.ts";

describe("rootFiles", () => {
  const contents = new Map(rootFiles().map((file) => [file.path, file]));

  test("resolves names only with the gateway's resolver", () => {
    assert.equal(
      contents.get("etc/resolv.conf")?.content,
      `nameserver ${guestNetwork.gatewayAddress}\n`,
    );
  });

  test("has no machine id, so that no two guests share one", () => {
    assert.equal(contents.get("etc/machine-id")?.content, "");
  });

  test("lets sudo read its rule", () => {
    assert.equal(contents.get("etc/sudoers.d/opencomputer")?.mode, 0o440);
  });

  test("gives containers the variables that commands have", () => {
    const names = (path: string) =>
      contents
        .get(path)
        ?.content.split("\n")
        .map((line) => line.split("=")[0]) ?? [];
    const ofCommands = new Set(names("etc/opencomputer/environment"));
    const ofContainers = names("etc/opencomputer/trust.env");
    assert.ok(ofContainers.includes("SSL_CERT_FILE"));
    for (const name of ofContainers) assert.ok(ofCommands.has(name), name);
  });

  test("has paths below the root only", () => {
    for (const path of contents.keys()) {
      assert.ok(!path.startsWith("/") && !path.split("/").includes(".."), path);
    }
  });
});
