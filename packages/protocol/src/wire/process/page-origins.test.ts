import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pageOriginsSchema } from "./page-origins.ts";

describe("pageOriginsSchema", () => {
  test("takes origins with and without a port, each once", () => {
    assert.deepEqual(
      pageOriginsSchema.parse(
        "https://App.example.com, http://localhost:3000,http://[::1]:8080,https://app.example.com,",
      ),
      ["https://app.example.com", "http://localhost:3000", "http://[::1]:8080"],
    );
  });

  test("refuses what is not an origin, and quotes it", () => {
    for (const text of [
      "*",
      "null",
      "app.example.com",
      "https://app.example.com/",
      "ftp://a.example",
    ]) {
      const { error } = pageOriginsSchema.safeParse(`https://a.example,${text}`);
      assert.ok(error?.issues[0]?.message.includes(JSON.stringify(text)), text);
    }
  });
});
