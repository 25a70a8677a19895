import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "@opencomputer/protocol";
import { imagesOverLimits } from "./image-repository.ts";

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

  test("takes what nobody has used for too long", () => {
    assert.deepEqual(over([image("a", 0), image("b", limits.cachedImageIdleSecondsMax + 1)]), [
      "b",
    ]);
  });

  test("takes those used longest ago when an org has too many, counted for each org", () => {
    const many = Array.from({ length: limits.cachedImagesPerOrgMax + 2 }, (_, n) =>
      image(`i${n}`, n),
    );
    const max = limits.cachedImagesPerOrgMax;
    assert.deepEqual(over([...many, image("other", 9, 1, "other org")]), [
      `i${max}`,
      `i${max + 1}`,
    ]);
  });

  test("takes what does not fit, and keeps an older one that does", () => {
    const whole = limits.cachedImagesBytesPerOrgMax;
    assert.deepEqual(over([image("a", 0, whole - 1), image("b", 1, 2), image("c", 2, 1)]), ["b"]);
  });
});
