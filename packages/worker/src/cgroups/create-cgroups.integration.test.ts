import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SettingsError } from "@opencomputer/protocol/wire";
import { findCgroupLayout } from "./cgroup-layout.ts";
import { type CgroupFiles, createCgroups, readCgroupFiles } from "./create-cgroups.ts";

const installationId = "5a7e00c9";

describe("createCgroups", () => {
  const create = (files: CgroupFiles, allowsUnlimited: boolean) => {
    const warnings: unknown[] = [];
    const log = { warn: (...words: unknown[]) => void warnings.push(words) };
    return { warnings, made: createCgroups({ installationId, files, allowsUnlimited, log }) };
  };
  const without: CgroupFiles = { mounts: "tmpfs / tmpfs rw 0 0\n", memberships: "0::/\n" };

  test("a host without controllers is refused, with what is missing and how to continue", async () => {
    await assert.rejects(create(without, false).made, (error) => {
      assert.ok(error instanceof SettingsError);
      assert.match(error.message, /cpu, memory and pids are not mounted/);
      assert.match(error.message, /OPENCOMPUTER_ALLOW_UNLIMITED=1/);
      return true;
    });
  });

  test("a hierarchy in which no group can be made is refused", async () => {
    const files = { mounts: "cgroup2 /dev/null cgroup2 rw 0 0\n", memberships: "0::/\n" };
    await assert.rejects(create(files, false).made, SettingsError);
  });

  test("where the operator accepts it, machines have no limits, with a warning", async () => {
    const { made, warnings } = create(without, true);
    assert.equal((await made).enforced, false);
    assert.equal(warnings.length, 1);
  });

  test("where the host has controllers, limits are set and no group remains", async (t) => {
    const files = await readCgroupFiles();
    const layout = findCgroupLayout(files);
    if (layout === undefined) return t.skip("this host has no controllers");
    const { made, warnings } = create(files, false);
    const cgroups = await made;
    assert.equal(cgroups.enforced, true);
    assert.deepEqual(warnings, []);
    const groups = layout.parents.map((parent) => join(parent, `opencomputer-${installationId}`));
    for (const group of groups) assert.ok(!existsSync(join(group, "trial")));
    await cgroups.tearDown();
    for (const group of groups) assert.ok(!existsSync(group));
  });
});
