import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "../limits.ts";
import { environmentBytes, environmentSchema } from "./environment.ts";

describe("environmentSchema", () => {
  test("environmentBytes counts what Linux does: name, =, value in UTF-8, and NUL", () => {
    assert.equal(environmentBytes({}), 0);
    assert.equal(environmentBytes({ A: "b", NAME: "é€" }), 4 + 11);
  });

  test("variables are limited in bytes together, not only one by one", () => {
    const max = limits.environmentBytesTotalMax;
    const ofBytes = (byteCount: number) => {
      const parts = 16;
      const names = Array.from(
        { length: parts },
        (_, index) => `V${String(index).padStart(2, "0")}`,
      );
      const variables: Record<string, string> = Object.fromEntries(
        names.map((name) => [name, "x".repeat(max / parts - `${name}=\0`.length)]),
      );
      variables["V00"] += "x".repeat(byteCount - max);
      return variables;
    };
    assert.equal(environmentBytes(ofBytes(max)), max);
    assert.ok(environmentSchema.safeParse(ofBytes(max)).success);
    const refused = environmentSchema.safeParse(ofBytes(max + 1));
    const [issue] = refused.error?.issues ?? [];
    assert.match(issue?.message ?? "", new RegExp(`at most ${max} bytes together`));
    assert.ok(issue?.code === "custom");
    assert.deepEqual(issue.params, { found: `${max + 1} bytes` });
  });
});
