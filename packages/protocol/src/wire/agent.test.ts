import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../api/limits.ts";
import { secretNameSchema } from "../api/rules/environment-name.ts";
import { agentRunResponseSchema, agentSessionResultSchema, trustEnvironment } from "./agent.ts";

test("No secret has the name of a variable that makes runtimes trust the installation", () => {
  for (const name of Object.keys(trustEnvironment({ bundle: "/b", authority: "/a" }))) {
    assert.equal(secretNameSchema.safeParse(name).success, false, name);
  }
});

test("A guest may return as much output as a command may have with the notice of its time-out, and no more", () => {
  const output = "x".repeat(limits.commandOutputBytesMax);
  for (const schema of [agentRunResponseSchema, agentSessionResultSchema]) {
    for (const stream of ["stdout", "stderr"]) {
      const accepts = (text: string) =>
        schema.safeParse({ exitCode: 0, running: false, stdout: "", stderr: "", [stream]: text })
          .success;
      assert.equal(accepts(`${output}\nProcess timed out`), true);
      assert.equal(accepts(output + output), false);
    }
  }
});
