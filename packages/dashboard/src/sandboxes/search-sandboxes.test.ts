import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxSummary } from "@opencomputer/sdk";
import { searchSandboxes } from "./search-sandboxes.ts";

const sandbox = (sandboxID: string, changes: Partial<SandboxSummary> = {}): SandboxSummary => ({
  sandboxID,
  templateID: "base",
  template: "base",
  status: "running",
  cpuCount: 1,
  memoryMB: 1024,
  startedAt: "2026-01-01T00:00:00.000Z",
  endAt: null,
  metadata: {},
  tags: {},
  ...changes,
});
const all = [
  sandbox("sb-one", { tags: { env: "prod", team: "Core" } }),
  sandbox("sb-two", { tags: { env: "prod-eu" }, status: "hibernated" }),
  sandbox("sb-three", { metadata: { run: "env=test" } }),
];
const found = (search: string) => searchSandboxes(all, search).map(({ sandboxID }) => sandboxID);

test("searchSandboxes finds by id, status, tag and metadata, in any case", () => {
  assert.deepEqual(found(""), ["sb-one", "sb-two", "sb-three"]);
  assert.deepEqual(found("SB-T"), ["sb-two", "sb-three"]);
  assert.deepEqual(found("hibernated"), ["sb-two"]);
  assert.deepEqual(found("core"), ["sb-one"]);
  assert.deepEqual(found("test"), ["sb-three"]);
  assert.deepEqual(found("no-such"), []);
});

test("a word with = is the beginning of a tag, and all words have to occur", () => {
  assert.deepEqual(found("env=prod"), ["sb-one", "sb-two"]);
  assert.deepEqual(found("env=prod running"), ["sb-one"]);
  assert.deepEqual(found("env=test"), []);
  assert.deepEqual(found("nv=prod"), []);
});
