// @ts-check
import { join } from "node:path";
import process from "node:process";
import { goEnvironment, projectDirectory } from "../project-steps.mjs";
import { runInBackground } from "../run-program.mjs";
import { noResults } from "./results.mjs";

/** `npm run check` vets, and no debugger needs symbols: without both, half of the time goes. */
const quickBuild = ["-vet=off", "-ldflags=-w"];

/** Runs the tests of the guest agent, which count as one. */
export async function runGoTests() {
  const startedAt = Date.now();
  const { exitCode, output } = await runInBackground("go", ["test", ...quickBuild, "./..."], {
    cwd: join(projectDirectory, "guest-agent"),
    env: goEnvironment,
  });
  process.stdout.write(`\ngo: guest agent\n${output}`);
  const ok = exitCode === 0;
  const test = {
    name: "go test ./...",
    file: "guest-agent",
    milliseconds: Date.now() - startedAt,
  };
  const failure = { name: test.name, file: test.file, message: `exit code ${exitCode}` };
  return {
    ...noResults(),
    passed: ok ? 1 : 0,
    failed: ok ? 0 : 1,
    failures: ok ? [] : [failure],
    tests: [test],
  };
}
