import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckpointRecord, SandboxSummary } from "@opencomputer/sdk";
import { type CheckpointNode, growTree, lineageOf, lineageSandboxesMax } from "./grow-tree.ts";

const sandbox = (sandboxID: string, fromCheckpointId?: string): SandboxSummary => ({
  ...{ sandboxID, templateID: "base", template: "base", status: "running", cpuCount: 1 },
  ...{ memoryMB: 1024, startedAt: "2026-01-01T00:00:00.000Z", endAt: null },
  ...{ metadata: {}, tags: {} },
  ...(fromCheckpointId === undefined ? {} : { fromCheckpointId }),
});
const checkpoint = (id: string, sandboxId: string, minute: number): CheckpointRecord => ({
  ...{ id, sandboxId, orgId: "o", name: id, kind: "full", status: "ready", sizeBytes: 1 },
  sandboxConfig: {
    templateID: "base",
    cpuCount: 1,
    memoryMB: 1024,
    timeout: 300,
    idle: "requests",
  },
  isPublic: false,
  createdAt: `2026-01-01T00:0${minute}:00.000Z`,
});
const outline = (nodes: readonly CheckpointNode[]): unknown[] =>
  nodes.map((node) => [
    node.checkpoint.id,
    ...node.forks.map((fork) => [fork.sandbox.sandboxID, ...outline(fork.checkpoints)]),
  ]);

const sandboxes = [
  sandbox("root"),
  sandbox("fork", "c2"),
  sandbox("grandchild", "c3"),
  sandbox("other", "c9"),
];
const stored: Record<string, CheckpointRecord[]> = {
  root: [checkpoint("c1", "root", 1), checkpoint("c2", "root", 2)],
  fork: [checkpoint("c3", "fork", 3)],
};
const list = async (id: string) => stored[id] ?? [];

test("growTree has forks below their checkpoints, and the newest checkpoint first", async () => {
  const found = await lineageOf("root", sandboxes, list);
  assert.deepEqual([...found.keys()], ["root", "fork", "grandchild"]);
  assert.deepEqual(outline(growTree("root", sandboxes, found)), [
    ["c2", ["fork", ["c3", ["grandchild"]]]],
    ["c1"],
  ]);
  assert.deepEqual(growTree("none", sandboxes, new Map()), []);
});

test("lineageOf reads a bounded number of sandboxes", async () => {
  const many = Array.from({ length: 200 }, (_, index) => sandbox(`s${index}`, "c1"));
  const found = await lineageOf("root", many, list);
  assert.equal(found.size, lineageSandboxesMax);
});
