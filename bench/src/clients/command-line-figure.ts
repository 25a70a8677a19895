import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunningInstallation } from "@opencomputer/harness";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { runToEnd } from "./run-to-end.ts";

const rounds = 20;
const ratioMax = 2.5;
const projectDirectory = fileURLToPath(new URL("../../../", import.meta.url));

/** A whole process of the installed `oc ls`, compared with a Node process that does nothing. */
export async function measureCommandLine(
  { apiUrl, apiKey }: RunningInstallation,
  directory: string,
  onRound: (text: string) => void,
): Promise<Figure> {
  onRound("installing the packed oc");
  await runToEnd(process.execPath, ["setup/pack/main.mjs"], { cwd: projectDirectory });
  const tarball = join(projectDirectory, "packed/opencomputer-cli-0.1.0.tgz");
  await runToEnd("npm", ["install", "--prefix", directory, "--no-audit", "--no-fund", tarball]);
  const oc = await realpath(join(directory, "node_modules/.bin/oc"));
  const env = {
    ...process.env,
    OPENCOMPUTER_API_URL: apiUrl,
    OPENCOMPUTER_API_KEY: apiKey,
  };
  const timed = async (nodeArguments: string[]): Promise<number> => {
    const startedAt = performance.now();
    await runToEnd(process.execPath, nodeArguments, { env });
    return performance.now() - startedAt;
  };
  const samples = await measureInTurns({
    rounds,
    measured: () => timed([oc, "ls"]),
    floor: () => timed(["-e", "0"]),
    onRound: (text) => onRound(`oc ls: ${text}`),
  });
  return describeRatio("oc ls, as a whole process", samples, {
    unit: "ms",
    floorName: "node -e 0",
    bound: { atMost: ratioMax },
  });
}
