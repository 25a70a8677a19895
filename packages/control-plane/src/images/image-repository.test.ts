import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { imageManifestSchema, limits } from "@opencomputer/protocol/api";
import { imageContentHash, imagesOverLimits } from "./image-repository.ts";

const now = new Date("2030-01-01T00:00:00Z");
const image = (checkpointId: string, ageSeconds: number, sizeBytes = 1, orgId = "org") => ({
  ...{ orgId, checkpointId, sizeBytes },
  lastUsedAt: new Date(now.getTime() - ageSeconds * 1000),
});
const over = (cached: ReturnType<typeof image>[]) =>
  imagesOverLimits(cached, now).map(({ checkpointId }) => checkpointId);

describe("imagesOverLimits()", () => {
  test("keeps what was used lately and fits", () => {
    assert.deepEqual(over([image("a", 0), image("b", limits.cachedImageIdleSecondsMax)]), []);
  });

  test("chooses what nobody has used for too long", () => {
    assert.deepEqual(over([image("a", 0), image("b", limits.cachedImageIdleSecondsMax + 1)]), [
      "b",
    ]);
  });

  test("chooses those used longest ago when an org has too many, counted for each org", () => {
    const many = Array.from({ length: limits.cachedImagesPerOrgMax + 2 }, (_, n) =>
      image(`i${n}`, n),
    );
    const max = limits.cachedImagesPerOrgMax;
    assert.deepEqual(over([...many, image("other", 9, 1, "other org")]), [
      `i${max}`,
      `i${max + 1}`,
    ]);
  });

  test("chooses what does not fit, and keeps an older one that does", () => {
    const whole = limits.cachedImagesBytesPerOrgMax;
    assert.deepEqual(over([image("a", 0, whole - 1), image("b", 1, 2), image("c", 2, 1)]), ["b"]);
  });
});

const parse = (value: unknown) => imageManifestSchema.parse(value);
const step = { type: "apt_install", args: { packages: ["git"] } };

test("imageContentHash() is the SHA-256 of the JSON of base and steps", () => {
  const json = '{"base":"base","steps":[{"type":"apt_install","args":{"packages":["git"]}}]}';
  const expected = createHash("sha256").update(json).digest("hex");
  assert.equal(imageContentHash(parse({ base: "base", steps: [step] })), expected);
});

test("imageContentHash() depends neither on the order of fields nor on the builder's memory nor on unknown fields", () => {
  const hash = imageContentHash(parse({ base: "base", steps: [step] }));
  const other = {
    builderMemoryMB: 2048,
    steps: [{ extra: 1, args: { packages: ["git"] }, type: "apt_install" }],
    base: "base",
  };
  assert.equal(imageContentHash(parse(other)), hash);
});

test("imageContentHash() depends on the order of steps and of what is in them", () => {
  const hashes = [
    [step, step],
    [step],
    [{ type: "run", args: { commands: ["a", "b"] } }],
    [{ type: "run", args: { commands: ["b", "a"] } }],
  ].map((steps) => imageContentHash(parse({ base: "base", steps })));
  assert.equal(new Set(hashes).size, hashes.length);
});
