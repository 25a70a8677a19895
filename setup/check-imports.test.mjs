// @ts-check
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { checkImports } from "./check-imports.mjs";
import { createSourceTree } from "./source-tree.mjs";

describe("checkImports", () => {
  /** @type {ReturnType<typeof createSourceTree>} */
  let tree;
  beforeEach(() => {
    tree = createSourceTree();
  });
  afterEach(() => tree.remove());

  const refusal = async () => {
    try {
      await checkImports(tree.directory);
    } catch (error) {
      // Long lines are broken.
      return String(error).replace(/\s+/g, " ");
    }
    return "";
  };

  test("permits imports of lower layers, and tests that import from anywhere", async () => {
    tree.write({
      "packages/worker/src/api/server.ts":
        'import { machine } from "../machines/machine.ts";\nmachine();\n',
      "packages/worker/src/machines/machine.ts": "export function machine() {}\n",
      "packages/worker/src/machines/machine.test.ts": 'import "../api/server.ts";\n',
    });
    assert.equal(await refusal(), "");
  });

  test("refuses an import of a higher layer", async () => {
    tree.write({
      "packages/worker/src/api/server.ts": "export {};\n",
      "packages/worker/src/machines/machine.ts": 'import "../api/server.ts";\n',
    });
    assert.match(await refusal(), /machines imports from the layers below it only: .*machine.ts/);
  });

  test("refuses a folder without a layer", async () => {
    tree.write({
      "packages/worker/src/new-folder/thing.ts": 'import "../machines/machine.ts";\n',
      "packages/worker/src/machines/machine.ts": "export {};\n",
    });
    assert.match(await refusal(), /each folder of packages.worker.src has a layer/);
  });

  test("refuses a cycle between files, also one of types", async () => {
    tree.write({
      "packages/cli/src/a.ts": 'import type { B } from "./b.ts";\nexport type A = B;\n',
      "packages/cli/src/b.ts": 'import type { A } from "./a.ts";\nexport type B = A;\n',
    });
    assert.match(await refusal(), /no cycle between files/);
  });

  test("refuses a cycle between folders without one between their files", async () => {
    tree.write({
      "packages/worker/src/machines/first/a.ts": 'import "../second/b.ts";\n',
      "packages/worker/src/machines/first/c.ts": "export {};\n",
      "packages/worker/src/machines/second/b.ts": "export {};\n",
      "packages/worker/src/machines/second/d.ts": 'import "../first/c.ts";\n',
    });
    assert.match(await refusal(), /no cycle between folders/);
  });

  test("refuses a process that imports another one's code, and an SDK that imports the inner wire", async () => {
    tree.write({
      "packages/worker/src/main.ts": 'import "../../control-plane/src/main.ts";\n',
      "packages/control-plane/src/main.ts": "export {};\n",
      "packages/sdk/src/index.ts": 'import "../../protocol/src/wire/index.ts";\n',
      "packages/protocol/src/wire/index.ts": "export {};\n",
    });
    const text = await refusal();
    assert.match(text, /packages.worker imports only packages.protocol, packages.process/);
    assert.match(text, /packages.sdk imports only packages.protocol.src.api/);
  });

  test("refuses a library in protocol, and test code in a process", async () => {
    tree.write({
      "packages/protocol/src/api/index.ts": 'import "node:fs";\n',
      "packages/worker/src/main.ts": 'import "./testing/scenario.ts";\n',
      "packages/worker/src/testing/scenario.ts": "export {};\n",
    });
    const text = await refusal();
    assert.match(text, /protocol imports the schema library only/);
    assert.match(text, /the service imports nothing that only tests use/);
  });
});
