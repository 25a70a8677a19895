import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootModules, busyboxCommands, initScript } from "./make-initramfs.ts";

describe("initScript", () => {
  test("uses only commands that the initramfs has", () => {
    const shellWords = new Set([
      "set",
      "for",
      "do",
      "done",
      "case",
      "esac",
      "while",
      "if",
      "fi",
      "echo",
      "exit",
      "exec",
      "#!/bin/sh",
    ]);
    const used = initScript()
      .split("\n")
      .map(
        (line) =>
          line
            .trim()
            .replace(/^exec /, "")
            .split(" ")[0] ?? "",
      )
      .filter((word) => word !== "" && !shellWords.has(word) && !word.includes("="));
    assert.deepEqual(
      used.filter((word) => !busyboxCommands.includes(word)),
      [],
    );
    assert.ok(used.includes("switch_root"));
  });

  test("loads every module, each after its dependencies", () => {
    const order = bootModules.map((path) => path.split("/").at(-1));
    const needs = [
      ["virtio", "virtio_ring"],
      ["virtio_pci", "virtio"],
      ["virtio_pci", "virtio_pci_modern_dev"],
      ["virtio_pci", "virtio_pci_legacy_dev"],
      ["virtio_blk", "virtio"],
      ["net_failover", "failover"],
      ["virtio_net", "net_failover"],
    ] as const;
    for (const [module, needed] of needs) {
      assert.ok(order.indexOf(needed) !== -1, needed);
      assert.ok(order.indexOf(needed) < order.indexOf(module), `${needed} before ${module}`);
    }
    assert.ok(initScript().includes(`for module in ${order.join(" ")}; do`));
  });
});
