import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * Runs a compiled program of the bench, with a task as JSON in its first argument, and
 * resolves to its output.
 *
 * @param options.machinePid A machine's process: the program runs in the network namespace of its slot.
 */
export async function runProgram(
  program: URL,
  task: unknown,
  { machinePid }: { machinePid: number | null },
): Promise<string> {
  const words = [
    process.execPath,
    ...process.execArgv,
    fileURLToPath(program),
    JSON.stringify(task),
  ];
  const [command = "", ...args] =
    machinePid === null ? words : ["nsenter", `--net=/proc/${machinePid}/ns/net`, ...words];
  return (await promisify(execFile)(command, args)).stdout;
}

/** A slot's namespace sends nothing of its own: the bench opens one destination of its own machine, in the terms of nft(8). */
export async function openSlotOutput(machinePid: number, ...destination: string[]): Promise<void> {
  const rule = ["inet", "slot", "output", ...destination, "accept"];
  const network = `--net=/proc/${machinePid}/ns/net`;
  await promisify(execFile)("nsenter", [network, "nft", "insert", "rule", ...rule]);
}
