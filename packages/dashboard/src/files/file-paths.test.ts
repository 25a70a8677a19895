import assert from "node:assert/strict";
import { test } from "node:test";
import { joinPath, normalizePath, pathParts } from "./file-paths.ts";

test("joinPath has one slash between a directory and a name", () => {
  assert.equal(joinPath("/", "a b"), "/a b");
  assert.equal(joinPath("/home/sandbox", "x"), "/home/sandbox/x");
});

test("pathParts has each directory from the root on", () => {
  assert.deepEqual(pathParts("/"), [{ name: "/", path: "/" }]);
  assert.deepEqual(pathParts("/home/sandbox"), [
    { name: "/", path: "/" },
    { name: "home", path: "/home" },
    { name: "sandbox", path: "/home/sandbox" },
  ]);
});

test("normalizePath is absolute and never above the root", () => {
  assert.equal(normalizePath("tmp//x/./y/"), "/tmp/x/y");
  assert.equal(normalizePath("/a/../../b"), "/b");
  assert.equal(normalizePath(""), "/");
});
