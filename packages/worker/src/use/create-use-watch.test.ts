import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createUseWatch, type UseWatch } from "./create-use-watch.ts";

describe("createUseWatch", () => {
  let now: number;
  let watch: UseWatch;
  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval"] });
    now = 1_000;
    watch = createUseWatch(() => now);
  });
  afterEach(() => {
    watch.close();
    mock.timers.reset();
  });
  const use = () => {
    const { lastUsedAt, operations } = watch.useOf("a");
    return [lastUsedAt?.getTime(), operations];
  };

  test("an operation counts while it is under way, and its end is use", () => {
    assert.deepEqual(use(), [undefined, 0]);
    const end = watch.begin("a");
    now = 2_000;
    assert.deepEqual(use(), [1_000, 1]);
    end();
    assert.deepEqual(use(), [2_000, 0]);
    assert.deepEqual(watch.useOf("b"), { lastUsedAt: undefined, operations: 0 });
  });

  test("an open connection counts when bytes pass, either way, and not otherwise", () => {
    const connection = { bytesRead: 7, bytesWritten: 9 };
    const unwatch = watch.watch("a", connection);
    now = 20_000;
    assert.deepEqual(use(), [1_000, 0]);
    connection.bytesRead += 1;
    mock.timers.tick(5_000);
    now = 30_000;
    assert.deepEqual(use(), [20_000, 0]);
    connection.bytesWritten += 1;
    assert.deepEqual(use(), [30_000, 0]);
    now = 40_000;
    connection.bytesWritten += 1;
    unwatch();
    now = 50_000;
    connection.bytesWritten += 1;
    assert.deepEqual(use(), [40_000, 0]);
  });

  test("what was removed is forgotten", () => {
    const end = watch.begin("a");
    watch.forget("a");
    end();
    assert.deepEqual(use(), [undefined, 0]);
  });
});
