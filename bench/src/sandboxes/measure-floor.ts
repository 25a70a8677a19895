import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guestNetwork } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { FloorSettings } from "./floor.ts";

const namespace = "opencomputer-bench";
const gatewayMacAddress = "02:6f:63:00:00:01";
const run = promisify(execFile);

const roundSchema = z.object({ firstOutputMs: z.number(), warmRunMs: z.array(z.number()) });
export type FloorRound = z.infer<typeof roundSchema>;

/** Creates a namespace with the network device of QEMU's arguments; `end` removes it. */
export async function openFloorNamespace(): Promise<{ end(): Promise<void> }> {
  await run("ip", ["netns", "add", namespace]);
  const inside = (command: string) => run("ip", ["-netns", namespace, ...command.split(" ")]);
  await inside("tuntap add dev tap0 mode tap");
  await inside(`link set tap0 address ${gatewayMacAddress} up`);
  await inside(`addr add ${guestNetwork.gatewayAddress}/${guestNetwork.prefixLength} dev tap0`);
  await inside(
    `neigh add ${guestNetwork.guestAddress} lladdr ${guestNetwork.guestMacAddress} dev tap0 nud permanent`,
  );
  return { end: () => run("ip", ["netns", "del", namespace]).then(() => undefined) };
}

export async function measureFloor(settings: FloorSettings): Promise<FloorRound[]> {
  const script = fileURLToPath(new URL("./floor.js", import.meta.url));
  const child = spawn(
    "ip",
    ["netns", "exec", namespace, process.execPath, script, JSON.stringify(settings)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const closed = once(child, "close");
  const rounds: FloorRound[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    rounds.push(roundSchema.parse(JSON.parse(line)));
  }
  const [exitCode] = await closed;
  if (exitCode !== 0) throw new Error(`The floor's process ended with exit code ${exitCode}`);
  return rounds;
}
