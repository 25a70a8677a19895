import assert from "node:assert/strict";
import { test } from "node:test";
import { secretNameSchema } from "../api/rules/environment-name.ts";
import { trustEnvironment } from "./agent.ts";

test("No secret has the name of a variable that makes runtimes trust the installation", () => {
  for (const name of Object.keys(trustEnvironment({ bundle: "/b", authority: "/a" }))) {
    assert.equal(secretNameSchema.safeParse(name).success, false, name);
  }
});
