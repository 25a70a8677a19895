import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { watchSources } from "./watch-sources.ts";

describe("watchSources", () => {
  let root: string;
  let restarts: string[][];
  let onRestart: () => void;
  let close: () => Promise<void>;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "sources-"));
    for (const directory of [
      "packages/protocol/src",
      "packages/process/src",
      "packages/worker/src/testing",
      "packages/egress-proxy/src",
      "packages/control-plane/src/sandboxes",
      "packages/control-plane/migrations",
    ]) {
      await mkdir(join(root, directory), { recursive: true });
    }
    await save("packages/control-plane/src/sandboxes/sandbox.ts");
    restarts = [];
    onRestart = () => undefined;
    close = await watchSources(root, (names) => {
      restarts.push(names);
      onRestart();
    });
  });
  afterEach(async () => {
    await close();
    await rm(root, { recursive: true });
  });
  const save = (path: string) => writeFile(join(root, path), "export {};\n");
  /** Saves by a rename, as many editors do. */
  const replace = async (path: string) => {
    const written = join(root, dirname(path), ".swap");
    await writeFile(written, "export {};\n");
    await rename(written, join(root, path));
  };
  const restartAfter = async (change: () => Promise<void>) => {
    const restarted = new Promise<void>((resolve) => {
      onRestart = resolve;
    });
    await change();
    await restarted;
  };

  test("restarts the process of a file that is saved, once for many saves", async () => {
    await restartAfter(async () => {
      for (let count = 0; count < 5; count += 1) {
        await save("packages/control-plane/src/sandboxes/sandbox.ts");
      }
    });
    assert.deepEqual(restarts, [["control-plane"]]);
  });

  test("restarts the process of a file that is replaced, each time", async () => {
    for (let count = 0; count < 3; count += 1) {
      await restartAfter(() => replace("packages/control-plane/src/sandboxes/sandbox.ts"));
    }
    assert.deepEqual(restarts, [["control-plane"], ["control-plane"], ["control-plane"]]);
  });

  test("restarts the control plane for a new migration", async () => {
    await restartAfter(() => save("packages/control-plane/migrations/0099_new.sql"));
    assert.deepEqual(restarts, [["control-plane"]]);
  });

  test("restarts what shares a file, in the order of its start", async () => {
    await restartAfter(async () => {
      await save("packages/egress-proxy/src/a.ts");
      await save("packages/worker/src/b.ts");
    });
    assert.deepEqual(restarts, [["host", "worker", "egress-proxy"]]);
    await restartAfter(() => save("packages/protocol/src/c.ts"));
    assert.deepEqual(restarts.at(-1), ["host", "worker", "egress-proxy", "control-plane"]);
  });

  test("restarts nothing for a test, what only tests use, and a file of an editor", async () => {
    await save("packages/worker/src/b.test.ts");
    await save("packages/worker/src/testing/scenario.ts");
    await save("packages/worker/src/.b.ts.swp");
    await restartAfter(() => save("packages/control-plane/src/main.ts"));
    assert.deepEqual(restarts, [["control-plane"]]);
  });
});
