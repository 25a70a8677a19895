import { chmod, copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { guestLayout } from "@opencomputer/protocol/wire";
import { runProgram } from "../run-program.ts";
import { debianBundle, emptyDatabase } from "./authority-files.ts";
import { rootFiles } from "./root-files.ts";

/** The program is the guest's init as process 1, and its agent otherwise. */
const agentPath = "usr/local/sbin/opencomputer-agent";

/** Turns Debian's root into that of a sandbox: its user, its files, and the agent as init. */
export async function customizeRoot(options: { root: string; agent: string }): Promise<void> {
  const { root } = options;
  await addUser(root);
  // Packages such as Java's link their manuals, which dpkg leaves out, and fail without the directory.
  for (const section of [1, 2, 3, 4, 5, 6, 7, 8]) {
    await mkdir(join(root, `usr/share/man/man${section}`), { recursive: true });
  }
  for (const { path, content, mode } of rootFiles()) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true });
    await writeFile(target, content);
    await chmod(target, mode);
  }
  await copyFile(join(root, guestLayout.trustBundle), join(root, debianBundle));
  await makeEmptyDatabase(root);
  await copyFile(options.agent, join(root, agentPath));
  await chmod(join(root, agentPath), 0o755);
  await rm(join(root, "usr/sbin/init"), { force: true });
  await symlink(`/${agentPath}`, join(root, "usr/sbin/init"));
  await removeBuildTraces(root);
}

async function addUser(root: string): Promise<void> {
  const { user, userId, home, workspace, application } = guestLayout;
  await runProgram([
    "chroot",
    root,
    "useradd",
    "--create-home",
    `--home-dir=${home}`,
    `--uid=${userId}`,
    "--user-group",
    "--groups=sudo",
    "--shell=/bin/bash",
    user,
  ]);
  await runProgram([
    "chroot",
    root,
    "install",
    "--directory",
    `--owner=${user}`,
    `--group=${user}`,
    workspace,
    application,
  ]);
}

async function makeEmptyDatabase(root: string): Promise<void> {
  await mkdir(join(root, emptyDatabase));
  const database = `sql:${emptyDatabase}`;
  await runProgram(["chroot", root, "certutil", "-N", "-d", database, "--empty-password"]);
}

/** Removes files that belong to the build host, or only occupy space. */
async function removeBuildTraces(root: string): Promise<void> {
  for (const path of [
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list.d/0000build.sources",
    "var/log/apt",
    "var/log/dpkg.log",
    "var/log/bootstrap.log",
    "var/log/alternatives.log",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/lib/dpkg/status-old",
  ]) {
    await rm(join(root, path), { recursive: true, force: true });
  }
}
