// @ts-check
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { findCommand } from "./preflight.mjs";
import { runProgram } from "./run-program.mjs";
import { SetupError } from "./setup-error.mjs";

/** What a host needs to build guests and run them. */
const hostPackages = [
  "qemu-system-x86",
  "qemu-utils",
  "bubblewrap",
  "tcc",
  "mmdebstrap",
  "e2fsprogs",
  "nftables",
  "perl-base",
  "iproute2",
  "busybox-static",
  "cpio",
  "zstd",
  "kmod",
  "util-linux",
  "passwd",
  "ca-certificates",
  "debian-archive-keyring",
  "gpg",
  "postgresql",
];

/** What the tests need in addition: real servers and real clients. */
const testPackages = [
  "chromium",
  "curl",
  "dropbear-bin",
  "git",
  "mount",
  "openssl",
  "redis-tools",
  "systemd",
];

const goMinorMin = 19;
const clusterConfiguration = "/etc/postgresql-common/createcluster.d/opencomputer.conf";

/**
 * Installs the missing ones of the packages.
 *
 * @param {"check" | "host" | "test"} purpose
 * @param {(text: string) => void} report
 * @returns {Promise<string | null>}
 */
export async function installSystemPackages(purpose, report) {
  const wanted = [
    ...(purpose === "check" ? [] : hostPackages),
    ...(purpose === "test" ? testPackages : []),
    ...((await hasGo()) ? [] : ["golang-go"]),
    ...(purpose === "host" || (await hasVirtualEnvironments()) ? [] : ["python3", "python3-venv"]),
  ];
  const missing = [];
  for (const name of wanted) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return null;
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `These packages are missing: run as root \`apt-get install ${missing.join(" ")}\`.`,
    );
  }
  report("apt-get update");
  await runProgram("apt-get", ["update"]);
  report(`installing ${missing.join(" ")}`);
  const restore = missing.includes("postgresql") ? withoutDefaultCluster() : () => undefined;
  try {
    await runProgram(
      "apt-get",
      ["install", "--yes", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", ...missing],
      { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, onLine: report },
    );
  } finally {
    restore();
  }
  return `installed ${missing.join(", ")}`;
}

/** @param {string} name */
async function isInstalled(name) {
  try {
    const status = await runProgram("dpkg-query", ["--show", "--showformat=${Status}", name]);
    return status.startsWith("install ok installed");
  } catch (error) {
    // dpkg-query ends with 1 for a package that it does not know.
    if (error instanceof SetupError) return false;
    throw error;
  }
}

async function hasGo() {
  if (findCommand("go") === undefined) return false;
  const version = /go1\.(\d+)/.exec(await runProgram("go", ["version"]));
  return Number(version?.[1] ?? 0) >= goMinorMin;
}

async function hasVirtualEnvironments() {
  if (findCommand("python3") === undefined) return false;
  try {
    await runProgram("python3", ["-c", "import ensurepip, venv"]);
    return true;
  } catch (error) {
    if (error instanceof SetupError) return false;
    throw error;
  }
}

/** The service and the tests start their own clusters: the package should not start one on port 5432. */
function withoutDefaultCluster() {
  mkdirSync(dirname(clusterConfiguration), { recursive: true });
  writeFileSync(clusterConfiguration, "create_main_cluster = false\n");
  return () => rmSync(clusterConfiguration, { force: true });
}
