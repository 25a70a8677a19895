// @ts-check
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { readChangesets } from "@changesets/read";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";
import { reportSetupError, SetupError } from "../setup-error.mjs";
import { addRelease, parseChange } from "./changelog.mjs";
import { writeLockFile } from "./write-lock-file.mjs";
import { writeVersion } from "./write-version.mjs";

// Turns the files of .changeset into a version and its section of the changelog.
// Its argument is the program of Changesets.
const [changeset = ""] = process.argv.slice(2);
try {
  const summaries = (await readChangesets(projectDirectory)).map(({ summary }) => summary);
  if (summaries.length === 0) {
    throw new SetupError(
      ".changeset has no change to release: describe each with `npm run change`, and commit it.",
    );
  }
  // Before anything is written.
  summaries.forEach(parseChange);

  await runProgram(process.execPath, [changeset, "version"], { cwd: projectDirectory });
  const manifest = readFileSync(join(projectDirectory, "packages/sdk/package.json"), "utf8");
  const { version } = JSON.parse(manifest);
  await writeVersion(version);
  const changelogPath = join(projectDirectory, "CHANGELOG.md");
  const date = new Date().toISOString().slice(0, "2026-01-31".length);
  const changelog = addRelease(readFileSync(changelogPath, "utf8"), { version, date, summaries });
  writeFileSync(changelogPath, changelog);
  await writeLockFile();
  process.stdout.write(
    `The files are those of ${version}. Review them with \`git diff\`, then continue with docs/releasing.md.\n`,
  );
} catch (error) {
  reportSetupError(error);
}
