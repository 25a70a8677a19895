import { parseArgs } from "node:util";
import { QuickstartError } from "./narration.ts";

export interface QuickstartOptions {
  /** True for the real hosts and a real key, false for hosts on this machine. */
  live: boolean;
  /** The value of the secret. */
  key: string;
}

const usage = `Usage: npm run quickstart [-- --live]

  --live   send requests to the real api.anthropic.com, with the key in ANTHROPIC_API_KEY`;

/** Parses the command line. @throws {QuickstartError} for an unknown option or a missing key. */
export function readOptions(
  commandArguments: string[],
  environment: NodeJS.ProcessEnv,
  demonstrationKey: string,
): QuickstartOptions {
  const { live } = parse(commandArguments);
  if (!live) return { live, key: demonstrationKey };
  const key = environment["ANTHROPIC_API_KEY"];
  if (key === undefined || key === "") {
    throw new QuickstartError(`--live requires a key: set ANTHROPIC_API_KEY.\n\n${usage}`);
  }
  return { live, key };
}

function parse(commandArguments: string[]): { live: boolean } {
  try {
    const { values } = parseArgs({
      args: commandArguments,
      options: { live: { type: "boolean" } },
    });
    return { live: values.live === true };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new QuickstartError(`${error.message}\n\n${usage}`);
  }
}
