import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newMachineShape } from "./machine-shape.ts";
import { machineArguments, type QemuLaunch, qemuArguments } from "./qemu-arguments.ts";

const launch: QemuLaunch = {
  name: "opencomputer-00c0ffee-0011223344556677",
  shape: newMachineShape("tcg", 1024),
  kernel: { path: "/data/images/x/kernel", commandLine: "console=ttyS0 root=/dev/vda rw" },
  initramfsPath: "/data/images/x/initramfs",
  memoryPath: "/data, and more/memory",
  cpuCount: 1,
  diskPath: "/data, and more/disk.qcow2",
  qmpSocketPath: "/run/a,b/0.qmp",
  statePath: "/data/state",
};

/** Every value that follows an option. */
function valuesOf(option: string, args: readonly string[]): string[] {
  return args.flatMap((text, index) => (args[index - 1] === option ? [text] : []));
}

describe("qemuArguments", () => {
  const args = qemuArguments(launch);

  test("starts without defaults, with one monitor, in the seccomp sandbox", () => {
    for (const option of ["-nodefaults", "-no-user-config"]) assert.ok(args.includes(option));
    assert.deepEqual(valuesOf("-qmp", args), ["unix:/run/a,,b/0.qmp,server=on,wait=off"]);
    assert.ok(!args.includes("-monitor"));
    const [sandbox = ""] = valuesOf("-sandbox", args);
    for (const rule of [
      "on,",
      "obsolete=deny",
      "elevateprivileges=deny",
      "spawn=deny",
      "resourcecontrol=deny",
    ]) {
      assert.ok(sandbox.includes(rule), rule);
    }
  });

  test("saved memory is mapped privately; without any it is anonymous", () => {
    assert.match(valuesOf("-object", args)[0] ?? "", /"share":false/);
    const [empty = ""] = valuesOf("-object", qemuArguments({ ...launch, memoryPath: null }));
    assert.match(empty, /"memory-backend-ram"/);
    assert.doesNotMatch(empty, /mem-path/);
  });

  test("paths with commas stay whole", () => {
    assert.match(valuesOf("-object", args)[0] ?? "", /"mem-path":"\/data, and more\/memory"/);
    assert.match(valuesOf("-blockdev", args)[0] ?? "", /"filename":"\/data, and more\/disk.qcow2"/);
    const withLog = qemuArguments({ ...launch, consoleLogPath: "/a,b" });
    assert.deepEqual(valuesOf("-chardev", withLog), ["file,id=console0,path=/a,,b"]);
    assert.deepEqual(valuesOf("-chardev", args), ["null,id=console0"]);
  });

  test("waits for a state only when one is restored", () => {
    assert.deepEqual(valuesOf("-incoming", args), ["defer"]);
    assert.ok(!qemuArguments({ ...launch, statePath: null }).includes("-incoming"));
  });

  test("the CPUs are paused at first, whether it is restored or boots", () => {
    for (const statePath of ["/data/state", null]) {
      assert.ok(qemuArguments({ ...launch, statePath }).includes("-S"));
    }
  });

  test("no balloon: it would punch holes into the golden memory", () => {
    assert.ok(!args.some((text) => text.includes("balloon")));
  });

  test("the machine's part names no path, so that it can be part of a fingerprint", () => {
    const text = machineArguments(launch.shape).join(" ");
    assert.ok(!text.includes("/data") && !text.includes("/run"));
  });

  test("the machine's type has a version", () => {
    assert.match(valuesOf("-machine", args)[0] ?? "", /^pc-q35-\d+\.\d+,/);
  });

  test("the processor is the named model of the shape", () => {
    for (const accelerator of ["kvm", "tcg"] as const) {
      const shape = newMachineShape(accelerator, 1024);
      assert.deepEqual(valuesOf("-cpu", machineArguments(shape)), [shape.processorModel]);
    }
  });
});
