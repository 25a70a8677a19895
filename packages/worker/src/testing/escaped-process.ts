import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Slot } from "../network/slot.ts";
import { runProgram } from "../process/run-program.ts";

/** What a process tries to reach: a TCP port, a UDP port that echoes, or an address by ICMP. */
export interface Target {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly address: string;
  readonly port?: number;
}

const reachedSchema = z.array(z.boolean());
/** How long a process waits. Every reply of these tests comes within milliseconds. */
const patienceMilliseconds = 700;

/**
 * Tries to reach each target from a process in the slot's namespace that runs
 * as QEMU's user, as code does that broke out of the guest. Unlike that code it
 * may send raw packets, which pings need. Whether each was reached, in order.
 */
export async function reachFromEscapedProcess(
  slot: Slot,
  targets: readonly Target[],
): Promise<boolean[]> {
  const output = await runProgram("nsenter", [
    `--net=/run/netns/${slot.name}`,
    ...["setpriv", `--reuid=${slot.userId}`, `--regid=${slot.userId}`, "--clear-groups"],
    ...["--no-new-privs", "--bounding-set=-all,+net_raw"],
    ...["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"],
    ...[process.execPath, "-e", script(targets)],
  ]);
  return reachedSchema.parse(JSON.parse(output));
}

function script(targets: readonly Target[]): string {
  return `const attempts = {
  tcp: ({ address, port }, end) =>
    require("node:net").connect(port, address).on("connect", () => end(true)).on("error", () => end(false)),
  udp: ({ address, port }, end) => {
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("message", () => end(true)).on("error", () => end(false));
    socket.send("?", port, address, (error) => error && end(false));
  },
  icmp: ({ address }, end) =>
    require("node:child_process").spawn("busybox", ["ping", "-c", "1", "-W", "1", address])
      .on("exit", (code) => end(code === 0)),
};
const attempt = (target) => new Promise((resolve) => {
  attempts[target.protocol](target, resolve);
  setTimeout(() => resolve(false), ${patienceMilliseconds});
});
Promise.all(${JSON.stringify(targets)}.map(attempt)).then((reached) => {
  console.log(JSON.stringify(reached));
  process.exit();
});`;
}

/** Takes a slot's own rules away: what the host's side holds alone. `setMode` loads them again. */
export async function removeSlotRules(slot: Slot): Promise<void> {
  await runProgram("nsenter", [
    `--net=/run/netns/${slot.name}`,
    ...["nft", "delete", "table", "inet", "slot"],
  ]);
}

/** The group of the host's end of a slot, from the kernel. */
export async function hostGroupOf(slot: Slot): Promise<number> {
  return Number(await readFile(`/sys/class/net/${slot.name}/netdev_group`, "utf8"));
}
