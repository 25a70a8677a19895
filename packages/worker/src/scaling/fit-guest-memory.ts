import { WireError } from "@opencomputer/protocol/api";
import type { AgentClient } from "../guest/agent-client.ts";

/** Linux gives x86 memory back in blocks of this size. */
const memoryBlockMB = 128;
/** Number of blocks whose whole content can be moved; see the kernel's arguments. */
const certainBlockCount = 4;
const fitTimeoutMilliseconds = 60_000;
const digits = /^\d+$/;

/** How many blocks a guest gives back to have at least `memoryMB` left. */
export function memoryBlocksToGiveBack(baseMemoryMB: number, memoryMB: number): number {
  return Math.max(0, Math.floor((baseMemoryMB - memoryMB) / memoryBlockMB));
}

/**
 * Takes base memory out of the guest's use, or gives it back to it. It has
 * down to 512 MB for certain; below that the guest's kernel may keep blocks
 * that hold its own data: the guest then has more than requested, and the host's
 * limit on the machine applies.
 *
 * @throws {WireError} `guest_failed` when the guest gives back less than that.
 */
export async function fitGuestMemory(options: {
  agent: Pick<AgentClient, "run">;
  baseMemoryMB: number;
  memoryMB: number;
}): Promise<void> {
  const blockCount = memoryBlocksToGiveBack(options.baseMemoryMB, options.memoryMB);
  const blocks = Array.from(
    { length: options.baseMemoryMB / memoryBlockMB - 1 },
    (_, index) => options.baseMemoryMB / memoryBlockMB - 1 - index,
  );
  const result = await options.agent.run({
    command: ["/bin/bash", "-c", giveBackScript(blocks, blockCount)],
    environment: {},
    workingDirectory: "/",
    timeoutMilliseconds: fitTimeoutMilliseconds,
    outputBytesMax: 4096,
    asRoot: true,
  });
  const given = result.stdout.trim();
  const blockCountMin = Math.min(blockCount, certainBlockCount);
  if (result.exitCode === 0 && digits.test(given) && Number(given) >= blockCountMin) return;
  throw new WireError(
    "guest_failed",
    `The guest gave back ${digits.test(given) ? given : "no"} blocks of ${memoryBlockMB} MB, of ${blockCount}`,
  );
}

/** Prints how many blocks are offline in the end. */
function giveBackScript(blocks: readonly number[], blockCount: number): string {
  return `given=0
for block in ${blocks.join(" ")}; do
  state=/sys/devices/system/memory/memory$block/state
  if [ "$given" -ge ${blockCount} ]; then
    [ "$(<"$state")" = online ] || echo online_movable >"$state"
  elif [ "$(<"$state")" = offline ] || echo offline 2>/dev/null >"$state"; then
    given=$((given + 1))
  fi
done 2>/dev/null
echo "$given"`;
}
