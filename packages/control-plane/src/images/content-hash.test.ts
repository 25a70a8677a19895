import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { imageManifestSchema } from "@opencomputer/protocol";
import { imageContentHash } from "./content-hash.ts";

const parse = (value: unknown) => imageManifestSchema.parse(value);
const step = { type: "apt_install", args: { packages: ["git"] } };

test("imageContentHash() is the SHA-256 of the JSON of base and steps", () => {
  const json = '{"base":"base","steps":[{"type":"apt_install","args":{"packages":["git"]}}]}';
  const expected = createHash("sha256").update(json).digest("hex");
  assert.equal(imageContentHash(parse({ base: "base", steps: [step] })), expected);
});

test("imageContentHash() minds neither the order of fields nor the builder's memory nor what it does not know", () => {
  const hash = imageContentHash(parse({ base: "base", steps: [step] }));
  const other = {
    builderMemoryMB: 2048,
    steps: [{ extra: 1, args: { packages: ["git"] }, type: "apt_install" }],
    base: "base",
  };
  assert.equal(imageContentHash(parse(other)), hash);
});

test("imageContentHash() minds the order of steps and of what is in them", () => {
  const hashes = [
    [step, step],
    [step],
    [{ type: "run", args: { commands: ["a", "b"] } }],
    [{ type: "run", args: { commands: ["b", "a"] } }],
  ].map((steps) => imageContentHash(parse({ base: "base", steps })));
  assert.equal(new Set(hashes).size, hashes.length);
});
