import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "./run-program.ts";

const module = new URL("close-inherited-descriptors.ts", import.meta.url).href;

/** A process whose parent left three descriptors open starts a program; the open files of both. */
async function openFilesBelow(statement: string): Promise<{ own: number; programs: string }> {
  const script = `import { spawnSync } from "node:child_process";
import { closeInheritedDescriptors } from "${module}";
const closed = ${statement};
const listed = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" });
console.log(JSON.stringify({ own: closed.length, programs: listed.stdout }));`;
  const node = [process.execPath, "--conditions=source"];
  const output = await runProgram("bash", [
    ...["-c", 'exec 9<"$0" 20<"$0" 200<"$0"; exec "$@"', import.meta.filename],
    ...[...node, "--input-type=module", "-e", script],
  ]);
  return JSON.parse(output) as { own: number; programs: string };
}

describe("closeInheritedDescriptors", () => {
  test("a program that is started afterwards has none of them", async () => {
    const { own, programs } = await openFilesBelow("closeInheritedDescriptors()");
    assert.ok(own >= 2, String(own));
    assert.ok(!programs.includes(import.meta.filename), programs);
    // Standard streams, and the directory that `ls` lists.
    assert.equal(programs.trim().split("\n").length, 1 + 3 + 1, programs);
  });

  test("without it, those beyond a gap are passed on", async () => {
    const { programs } = await openFilesBelow("[]");
    assert.ok(programs.includes(import.meta.filename), programs);
  });
});
