import {
  listMachines,
  type RunningInstallation,
  readMachines,
  type SearchResult,
  searchDirectory,
  searchDisk,
  searchProcessMemory,
} from "@opencomputer/harness";
import type { Narration } from "./narration.ts";

/**
 * Step 6: searches for the key everywhere but in the proxy. To show that the
 * search works, it also has to find the token in a virtual machine and the key
 * in the proxy.
 */
export async function searchForKey(
  narration: Narration,
  installation: RunningInstallation,
  { sandboxId, key, token }: { sandboxId: string; key: string; token: string },
): Promise<void> {
  narration.step("The key is not in the virtual machine, on its disk or in a log");
  const machines = await listMachines(installation);
  const disk = (await readMachines(installation.dataDirectory)).get(sandboxId)?.diskPath ?? "";

  narration.note(`… reading the memory of ${machines.length} virtual machines`);
  let tokenFound = false;
  const memory: SearchResult = { leaks: [], bytesSearched: 0 };
  for (const pid of machines) {
    const found = await searchProcessMemory(pid, [key, token]);
    memory.leaks.push(...found.leaks.filter((leak) => leak.valueIndex === 0));
    memory.bytesSearched += found.bytesSearched;
    tokenFound ||= found.leaks.some((leak) => leak.valueIndex === 1);
  }
  report(narration, `memory of ${machines.length} virtual machines`, memory);
  narration.expect(tokenFound, "the same search finds the token there", "nothing");

  narration.note("… reading the sandbox's disk");
  report(narration, "the sandbox's disk", await searchDisk(disk, [key]));
  narration.note(`… reading every file below ${installation.dataDirectory}`);
  report(
    narration,
    `every file below ${installation.dataDirectory}, logs and database included`,
    await searchDirectory(installation.dataDirectory, [key]),
  );

  const [proxy = 0] = await installation.pidsOf("egress-proxy");
  const inProxy = await searchProcessMemory(proxy, [key]);
  narration.expect(
    inProxy.leaks.length > 0,
    "the same search finds the key in the memory of the proxy, which needs it",
    "nothing",
  );
}

function report(narration: Narration, place: string, result: SearchResult): void {
  const size = `${(result.bytesSearched / 1024 ** 2).toFixed(0)} MiB`;
  narration.expect(
    result.leaks.length === 0 && result.bytesSearched > 0,
    `${place}: 0 hits in ${size}`,
    result.leaks.map((leak) => `${leak.form} at ${leak.offset} of ${leak.place}`).join("; ") ||
      "nothing to search",
  );
}
