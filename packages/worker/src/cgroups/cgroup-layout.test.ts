import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findCgroupLayout } from "./cgroup-layout.ts";

const version1 = {
  mounts: `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`,
  memberships: "3:pids:/\n2:memory:/service/worker\n1:cpu,cpuacct:/\n0::/\n",
};
const version2 = {
  mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
  memberships: "0::/system.slice/opencomputer.service\n",
};
const limits = { cpuPercent: 250, memoryMB: 1536, isBackground: false };

describe("findCgroupLayout", () => {
  test("v1: groups are below the worker's own in each controller", () => {
    const layout = findCgroupLayout(version1);
    assert.equal(layout?.version, 1);
    assert.deepEqual(layout?.parents, [
      "/sys/fs/cgroup/cpu,cpuacct",
      "/sys/fs/cgroup/memory/service/worker",
      "/sys/fs/cgroup/pids",
    ]);
  });

  test("v1: limits are written in the units of the files", () => {
    const settings = findCgroupLayout(version1)?.settings(limits) ?? [];
    const values = Object.fromEntries(settings.map(({ file, value }) => [file, value]));
    assert.deepEqual(values, {
      "cpu.cfs_period_us": "100000",
      "cpu.cfs_quota_us": "250000",
      "cpu.shares": "1024",
      "memory.limit_in_bytes": String(1536 * 1024 * 1024),
      "pids.max": "256",
    });
  });

  test("v2: one group at the root of the hierarchy", () => {
    const layout = findCgroupLayout(version2);
    assert.equal(layout?.version, 2);
    assert.deepEqual(layout?.parents, ["/sys/fs/cgroup"]);
    const settings = layout?.settings({ ...limits, isBackground: true }) ?? [];
    const values = Object.fromEntries(settings.map(({ file, value }) => [file, value]));
    assert.deepEqual(values, {
      "cpu.max": "250000 100000",
      "cpu.weight": "6",
      "memory.max": String(1536 * 1024 * 1024),
      "pids.max": "256",
    });
  });

  test("none without the memory controller, or without any", () => {
    const mounts = version1.mounts.replace(/^.*memory.*$\n/m, "");
    assert.equal(findCgroupLayout({ ...version1, mounts }), undefined);
    assert.equal(findCgroupLayout({ mounts: "", memberships: "" }), undefined);
  });
});
