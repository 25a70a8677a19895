// @ts-check
import { join } from "node:path";
import process from "node:process";
import { createProgress } from "./progress.mjs";
import { goEnvironment, projectDirectory } from "./project-steps.mjs";
import { checkPython, sdkDirectory } from "./python.mjs";
import { runCommand } from "./run-command.mjs";
import { SetupError } from "./setup-error.mjs";

const agentDirectory = join(projectDirectory, "guest-agent");
const tool = (/** @type {string} */ path) => join(projectDirectory, "node_modules", path);

const progress = createProgress();
try {
  await progress.step("format, lint and import rules", async () => {
    await runCommand(
      process.execPath,
      [tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."],
      {
        cwd: projectDirectory,
      },
    );
    return null;
  });
  await progress.step("types", async () => {
    await runCommand(
      process.execPath,
      [tool("typescript/bin/tsc"), "--project", "tsconfig.check.json"],
      {
        cwd: projectDirectory,
      },
    );
    return null;
  });
  await progress.step("guest agent: gofmt and go vet", async () => {
    const unformatted = await runCommand("gofmt", ["-l", "."], { cwd: agentDirectory });
    if (unformatted.trim() !== "") {
      throw new SetupError(
        `gofmt would change these files, run \`gofmt -w guest-agent\`:\n${unformatted}`,
      );
    }
    await runCommand("go", ["vet", "./..."], { cwd: agentDirectory, env: goEnvironment });
    return null;
  });
  await progress.step("Python SDK: ruff and mypy", async () => {
    const run = (/** @type {string[]} */ ...args) =>
      runCommand(checkPython, args, { cwd: sdkDirectory });
    await run("-m", "ruff", "format", "--check", ".");
    await run("-m", "ruff", "check", "--quiet", ".");
    // The types of the blocking twin are checked, too.
    await run("generate_sync.py");
    await run("-m", "mypy");
    return null;
  });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
