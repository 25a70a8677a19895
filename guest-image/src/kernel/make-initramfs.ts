import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { runProgram } from "../run-program.ts";

/** In the order in which they are loaded: each after its dependencies. */
export const bootModules: readonly string[] = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_pci_modern_dev",
  "drivers/virtio/virtio_pci_legacy_dev",
  "drivers/virtio/virtio_pci",
  "drivers/block/virtio_blk",
  "net/core/failover",
  "drivers/net/net_failover",
  "drivers/net/virtio_net",
  "drivers/char/virtio_console",
  "drivers/virtio/virtio_balloon",
  "drivers/char/hw_random/virtio-rng",
];

export const busyboxCommands: readonly string[] = [
  "sh",
  "mount",
  "insmod",
  "switch_root",
  "sleep",
  "cat",
  "umount",
];

/** The first program of the guest: it mounts the disk and starts its init. */
export function initScript(): string {
  const modules = bootModules.map((path) => basename(path)).join(" ");
  return `#!/bin/sh
set -e
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in ${modules}; do
  insmod "/modules/$module.ko"
done
root=/dev/vda
for word in $(cat /proc/cmdline); do
  case "$word" in root=*) root="\${word#root=}" ;; esac
done
tries=0
while [ ! -b "$root" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ]; then
    echo "initramfs: the disk $root did not appear" >&2
    exit 1
  fi
  sleep 0.1
done
mount -t ext4 -o rw,noatime "$root" /root
mount --move /dev /root/dev
umount /proc
exec switch_root /root /sbin/init
`;
}

/** Writes a compressed initramfs with busybox, the modules and the script. */
export async function makeInitramfs(options: {
  busyboxPackage: string;
  modulesDirectory: string;
  temporaryDirectory: string;
  outputPath: string;
}): Promise<void> {
  const tree = join(options.temporaryDirectory, "initramfs-tree");
  for (const directory of ["bin", "dev", "modules", "proc", "root"]) {
    await mkdir(join(tree, directory), { recursive: true });
  }
  const busybox = join(options.temporaryDirectory, "busybox-package");
  await runProgram(["dpkg-deb", "--extract", options.busyboxPackage, busybox]);
  await copyFile(join(busybox, "bin/busybox"), join(tree, "bin/busybox"));
  for (const command of busyboxCommands) await symlink("busybox", join(tree, "bin", command));
  for (const path of bootModules) {
    const source = join(options.modulesDirectory, "kernel", `${path}.ko`);
    await copyFile(source, join(tree, "modules", basename(source)));
  }
  await writeFile(join(tree, "init"), initScript());
  await chmod(join(tree, "init"), 0o755);
  const archive = join(options.temporaryDirectory, "initramfs.cpio");
  await runProgram([
    "sh",
    "-ec",
    'cd "$1" && find . | LC_ALL=C sort | cpio --quiet --create --format=newc --owner=0:0 > "$2"',
    "sh",
    tree,
    archive,
  ]);
  await writeFile(options.outputPath, await promisify(gzip)(await readFile(archive), { level: 9 }));
  await rm(archive);
}
