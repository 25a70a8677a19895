import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ProgramError, runProgram } from "./run-program.ts";

describe("runProgram", () => {
  test("returns standard output and passes on every line", async () => {
    const lines: string[] = [];
    const output = await runProgram(["sh", "-c", "echo a; echo b >&2; echo c"], {
      onLine: (line) => lines.push(line),
    });
    assert.equal(output, "a\nc");
    assert.deepEqual(lines.sort(), ["a", "b", "c"]);
  });

  test("fails with the program, its exit code and the end of its output", async () => {
    await assert.rejects(
      runProgram(["sh", "-c", "echo why >&2; exit 3"]),
      (error) =>
        error instanceof ProgramError && /^sh .* exit code 3:\n {2}why$/s.test(error.message),
    );
  });

  test("fails with the name of a program that does not exist", async () => {
    await assert.rejects(runProgram(["no-such-program"]), /no-such-program cannot be started/);
  });
});
