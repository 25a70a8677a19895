// @ts-check
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installRequirements } from "./install-requirements.mjs";
import { commandNamed } from "./npm-commands.mjs";
import { pinnedNode } from "./pinned-node.mjs";
import { preflight } from "./preflight.mjs";
import { dataDirectory, projectDirectory } from "./project-steps.mjs";
import { runForeground } from "./run-program.mjs";
import { reportSetupError } from "./setup-error.mjs";

// Runs under any Node that `preflight` accepts. The packages of the lock file
// include the Node that everything else runs under.

const gibibyte = 1024 ** 3;
const [name = "", ...commandArguments] = process.argv.slice(2);
try {
  const { purpose } = commandNamed(name);
  preflight({ needsRoot: runsMachines(purpose), diskNeeds: diskNeeds(purpose) });
  process.stdout.write("Set-up\n");
  await installRequirements(purpose);
  const program = fileURLToPath(new URL("run-npm-command.mjs", import.meta.url));
  process.exitCode = await runForeground(pinnedNode(), [program, name, ...commandArguments]);
} catch (error) {
  reportSetupError(error);
}

/** @param {"check" | "docs" | "host" | "test"} purpose */
function runsMachines(purpose) {
  return purpose === "host" || purpose === "test";
}

/** @param {"check" | "docs" | "host" | "test"} purpose */
function diskNeeds(purpose) {
  if (!runsMachines(purpose)) return [];
  const imageIsBuilt = existsSync(join(projectDirectory, "guest-image/build/image.json"));
  return [
    { path: projectDirectory, bytes: (imageIsBuilt ? 1 : 5) * gibibyte },
    { path: dataDirectory(), bytes: 3 * gibibyte },
  ];
}
