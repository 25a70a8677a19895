// @ts-check
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { goEnvironment, projectDirectory } from "./project-steps.mjs";
import { sdkDirectory, testPythons } from "./python.mjs";
import { runForeground } from "./run-command.mjs";
import { findTestFiles } from "./test-files.mjs";

// npm test [-- [unit|integration|e2e|go|python] [part of a path …]]
const stageNames = ["unit", "integration", "e2e", "go", "python"];
const wantedStages = process.argv.slice(2).filter((argument) => stageNames.includes(argument));
const wantedPaths = process.argv.slice(2).filter((argument) => !stageNames.includes(argument));
const wantsStage = (/** @type {string} */ stage) =>
  wantedStages.length === 0 || wantedStages.includes(stage);

let passed = 0;
let failed = 0;
/** @type {string[]} */
const skipped = [];

if (wantsStage("go") && wantedPaths.length === 0) {
  process.stdout.write("go: guest agent\n");
  const exitCode = await runForeground("go", ["test", "./..."], {
    cwd: join(projectDirectory, "guest-agent"),
    env: goEnvironment,
  });
  if (exitCode === 0) passed += 1;
  else failed += 1;
}

if (wantsStage("python")) await runPythonTests();

for (const { stage, files, concurrency } of findTestFiles(projectDirectory)) {
  const chosen = files.filter(
    (file) => wantedPaths.length === 0 || wantedPaths.some((part) => file.includes(part)),
  );
  if (!wantsStage(stage) || chosen.length === 0) continue;
  process.stdout.write(`\n${stage}: ${chosen.length} files\n`);
  if (stage === "e2e") await prepareInstallation();
  await runFiles(chosen, concurrency);
}

process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
for (const name of skipped) process.stdout.write(`  skipped: ${name}\n`);
if (passed + failed === 0) {
  process.stderr.write(`No test matches ${process.argv.slice(2).join(" ")}.\n`);
}
const skipsAreFailures = process.env["CI"] === "true" && skipped.length > 0;
if (skipsAreFailures) process.stderr.write("In CI a skipped test is a failed one.\n");
process.exitCode = failed > 0 || skipsAreFailures || passed === 0 ? 1 : 0;

/** Bakes what the installations of the end-to-end tests share, once for all of them. */
async function prepareInstallation() {
  const script = join(projectDirectory, "e2e/prepare-template.ts");
  const exitCode = await runForeground(process.execPath, [...process.execArgv, script], {
    cwd: projectDirectory,
  });
  if (exitCode !== 0) throw new Error(`${script} ended with exit code ${exitCode}`);
}

/** The tests of the Python SDK, with each Python that it was installed for. */
async function runPythonTests() {
  const files = readdirSync(join(sdkDirectory, "tests"))
    .filter((name) => /^test_.*\.py$/.test(name))
    .map((name) => join("tests", name))
    .filter(
      (file) =>
        wantedPaths.length === 0 || wantedPaths.some((part) => `sdk-python/${file}`.includes(part)),
    );
  if (files.length === 0) return;
  const reports = mkdtempSync(join(tmpdir(), "python-tests-"));
  for (const { name, program } of await testPythons()) {
    process.stdout.write(`\npython: ${files.length} files, ${name}\n`);
    const report = join(reports, "report.xml");
    const words = ["-m", "pytest", "--quiet", `--junit-xml=${report}`, ...files];
    const exitCode = await runForeground(program, words, { cwd: sdkDirectory });
    const counts = /<testsuite [^>]*>/.exec(readFileSync(report, "utf8"))?.[0] ?? "";
    const count = (/** @type {string} */ what) =>
      Number(new RegExp(` ${what}="(\\d+)"`).exec(counts)?.[1] ?? 0);
    const failures = Math.max(count("failures") + count("errors"), exitCode === 0 ? 0 : 1);
    const skips = count("skipped");
    failed += failures;
    passed += count("tests") - count("failures") - count("errors") - skips;
    for (let index = 0; index < skips; index += 1) skipped.push(`a test of ${name}`);
  }
  rmSync(reports, { recursive: true });
}

/**
 * @param {string[]} files
 * @param {number} concurrency
 */
async function runFiles(files, concurrency) {
  const events = run({ files: files.map((file) => join(projectDirectory, file)), concurrency });
  events.on("test:pass", (event) => {
    if (event.details.type === "suite") return;
    if (event.skip !== undefined || event.todo !== undefined) skipped.push(event.name);
    else passed += 1;
  });
  events.on("test:fail", (event) => {
    if (event.details.type !== "suite") failed += 1;
  });
  for await (const text of events.compose(new spec())) process.stdout.write(text);
}
