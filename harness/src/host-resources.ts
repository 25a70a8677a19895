import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Lists everything on this host that carries an installation's id or data directory:
 * processes, network namespaces, interfaces, addresses, packet filter tables,
 * sockets, control groups. Empty when nothing is left.
 */
export async function listHostResources({
  id,
  dataDirectory,
}: {
  id: string;
  dataDirectory: string;
}): Promise<string[]> {
  const mentions = (text: string) => text.includes(id) || text.includes(dataDirectory);
  const lines = async (command: string, args: string[]) =>
    (await run(command, args)).stdout.split("\n").filter((line) => mentions(line));
  return [
    ...(await listProcesses(mentions)).map((text) => `process ${text}`),
    ...(await lines("ip", ["netns", "list"])).map((line) => `namespace ${line}`),
    ...(await lines("ip", ["-brief", "link"])).map((line) => `interface ${line}`),
    ...(await lines("nft", ["list", "tables"])).map((line) => `filter ${line}`),
    ...(existsSync(`/run/opencomputer-${id}`) ? [`runtime directory /run/opencomputer-${id}`] : []),
    ...(await lines("find", ["/sys/fs/cgroup", "-type", "d", "-name", `*${id}*`])).map(
      (line) => `control group ${line}`,
    ),
  ];
}

/** Machines that run for an installation: pids of QEMU. */
export async function listMachines({
  id,
  dataDirectory,
}: {
  id: string;
  dataDirectory: string;
}): Promise<number[]> {
  const processes = await listProcesses(
    (text) => text.includes(id) || text.includes(dataDirectory),
  );
  // What it was started through names it too.
  return processes
    .filter((text) => /^\d+ qemu-system/.test(text))
    .map((text) => Number.parseInt(text, 10));
}

async function listProcesses(mentions: (text: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const commandLine = (await readFile(`/proc/${entry}/cmdline`, "utf8")).replaceAll("\0", " ");
      if (mentions(commandLine)) found.push(`${entry} ${commandLine.trim()}`);
    } catch (error) {
      // The process ended while it was looked at.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return found;
}
