import { randomBytes, randomInt } from "node:crypto";
import { runProgram } from "../process/run-program.ts";

/** An id and a network block that nothing else on this host has: test runs may overlap. */
export async function testInstallation(): Promise<{ installationId: string; block: string }> {
  const addresses = await runProgram("ip", ["-brief", "addr"]);
  for (;;) {
    const block = `198.19.${randomInt(64) * 4}.0`;
    if (addresses.includes(block.replace(/\.0$/, "."))) continue;
    return { installationId: randomBytes(4).toString("hex"), block: `${block}/22` };
  }
}
