import assert from "node:assert/strict";
import { test } from "node:test";
import * as node from "@opencomputer/sdk/node";
import * as web from "./index.ts";

test("@opencomputer/sdk/node has all of @opencomputer/sdk, as the same objects", () => {
  const names = Object.keys(web);
  assert.ok(names.includes("Sandbox") && names.includes("OpenComputerError"));
  for (const [name, value] of Object.entries(web)) {
    assert.equal(Object.entries(node).find(([key]) => key === name)?.[1], value, name);
  }
});
