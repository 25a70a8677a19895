import assert from "node:assert/strict";
import { mkdtemp, readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cgroupOfProcess, mayHoldGroups } from "./process-cgroup.ts";

describe("cgroupOfProcess", () => {
  const version1 = [
    "tmpfs /sys/fs/cgroup tmpfs rw 0 0",
    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
    "cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0",
  ];

  test("takes the one hierarchy of version 2", () => {
    const files = {
      mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
      memberships: "0::/system.slice/opencomputer.service\n",
    };
    assert.equal(cgroupOfProcess(files), "/sys/fs/cgroup/system.slice/opencomputer.service");
  });

  test("prefers version 2 where both are mounted", () => {
    const files = {
      mounts: [...version1, "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0", ""].join("\n"),
      memberships: "8:pids:/user\n0::/\n",
    };
    assert.equal(cgroupOfProcess(files), "/sys/fs/cgroup/unified");
  });

  test("takes the pids hierarchy of version 1, whatever the path has in it", () => {
    const files = {
      mounts: version1.join("\n"),
      memberships: "8:pids:/a:b\n1:cpu,cpuacct:/\n",
    };
    assert.equal(cgroupOfProcess(files), "/sys/fs/cgroup/pids/a:b");
  });

  test("is undefined where no hierarchy is mounted", () => {
    assert.equal(cgroupOfProcess({ mounts: "", memberships: "8:pids:/\n0::/\n" }), undefined);
  });

  test("is undefined for a group outside of the cgroup namespace", () => {
    const unified = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
    for (const memberships of ["0::/..\n", "0::/../../other.slice\n"]) {
      assert.equal(cgroupOfProcess({ mounts: unified, memberships }), undefined, memberships);
    }
    const mounts = version1.join("\n");
    assert.equal(cgroupOfProcess({ mounts, memberships: "8:pids:/../a\n" }), undefined);
  });

  test("takes dots in the name of a group as they are", () => {
    const files = { mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", memberships: "0::/a..b\n" };
    assert.equal(cgroupOfProcess(files), "/sys/fs/cgroup/a..b");
  });
});

describe("mayHoldGroups", () => {
  test("is false for a directory that is no control group, and leaves nothing in it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "no-cgroup-"));
    assert.equal(await mayHoldGroups(directory), false);
    assert.deepEqual(await readdir(directory), []);
    await rmdir(directory);
  });
});
