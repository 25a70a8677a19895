import { ProgramError, runProgram } from "../run-program.ts";

/** Options that tell how to reach a mirror, not what to install. */
const transportOption =
  /^Acquire::(?:http|https|ForceIPv[46]|Retries|Check-Date|Check-Valid-Until)\b/i;

/** The host's apt options for proxies and the like; none on a host without apt. */
export async function findAptOptions(): Promise<string[]> {
  try {
    const dump = await runProgram(["apt-config", "dump", "--no-empty"]);
    return selectTransportOptions(dump);
  } catch (error) {
    if (error instanceof ProgramError) return [];
    throw error;
  }
}

/** The lines of `apt-config dump` that are transport options. */
export function selectTransportOptions(dump: string): string[] {
  return dump.split("\n").filter((line) => transportOption.test(line));
}
