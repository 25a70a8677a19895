// @ts-check
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { buildGoGrpcClient } from "../go-grpc-client.mjs";
import { createProgress } from "../progress.mjs";
import { buildGuestImage, projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";
import { SetupError } from "../setup-error.mjs";
import { hasTestsOfEveryRun, isFullRun } from "./full-run.mjs";
import { clearGroupPrograms, writeGroupProgram } from "./group-programs.mjs";
import { formatFailures, formatSlowest, mergeResults, noResults } from "./results.mjs";
import { runFiles } from "./run-files.mjs";
import { runGoTests } from "./run-go.mjs";
import { runPythonTests } from "./run-python.mjs";
import { findTestFiles } from "./test-files.mjs";
import { groupEndToEndTests, groupUnitTests, longestFirst } from "./test-groups.mjs";

// npm test [-- [unit|integration|e2e|go|python] [part of a path …]]
const stageNames = ["unit", "integration", "e2e", "go", "python"];
const slowestRows = 20;
const failureRows = 40;
/** Unit tests that run at a time: they compute. */
const unitConcurrency = 2;
/**
 * Others that run at a time, on two cores. They wait for processes and machines as much as they compute; with
 * three at a time, those that measure memory or wait for the network fail.
 */
const concurrency = 2;
/** What the tests of one process that starts no machine have of the processors, beside those with machines. */
const delayTolerantPriority = 5;
/** What unit tests have while the image and the golden snapshot of the machines are made. */
const unitPriority = 10;
/** So many that the files of each end long before the time of a file is over. */
const sharedInstallations = 3;

/** A file that hangs fails instead of holding up the run. */
const fileMinutesMax = Number(process.env["OPENCOMPUTER_TEST_FILE_MINUTES"] || "20");

/** Files that take more than half a minute, by the table at the end of a run. */
const longFiles = [
  "packages/control-plane/src/api-on-postgres",
  "guest-image/src/guest.",
  "e2e/no-leak",
  "e2e/saved-state-secrets",
  "packages/worker/src/power-loss",
  "packages/worker/src/life.",
  "packages/worker/src/worker.",
  "e2e/real-addresses",
  "e2e/tampered-secrets",
  "e2e/backup",
  "e2e/traces.",
  "packages/worker/src/deep-disks",
  "packages/worker/src/scaling",
  "e2e/restarts",
  "e2e/service-restart",
  "e2e/full-disk",
  "packages/worker/src/sizes",
  "e2e/chaos",
];

/** End-to-end tests that hardly use machines, and mostly wait for processes that start and end. */
const unhurriedFiles = [
  "e2e/packed-packages.test.ts",
  "e2e/private-database.test.ts",
  "e2e/exit-codes.test.ts",
  "e2e/development.test.ts",
];

const words = process.argv.slice(2);
const wantedStages = words.filter((word) => stageNames.includes(word));
const wantedPaths = words.filter((word) => !stageNames.includes(word));
const wantsStage = (/** @type {string} */ stage) =>
  wantedStages.length === 0 || wantedStages.includes(stage);
const isWanted = (/** @type {string} */ path) =>
  wantedPaths.length === 0 || wantedPaths.some((part) => path.includes(part));

const files = findTestFiles(projectDirectory);
const unit = wantsStage("unit") ? files.unit.filter(isWanted) : [];
const integration = wantsStage("integration")
  ? files.integration.filter(isWanted).filter(isOfThisRun)
  : [];
const endToEnd = wantsStage("e2e") ? files.e2e.filter(isWanted).filter(isOfThisRun) : [];
const unhurried = endToEnd.filter((file) => unhurriedFiles.includes(file));
const hurried = endToEnd.filter((file) => !unhurriedFiles.includes(file));

const startsBaked = endToEnd.length > 0 || integration.some(isBaked);
const delayTolerant = integration.filter(toleratesDelay);
const delaySensitive = integration.filter((file) => !toleratesDelay(file));
const startsMachines = delaySensitive.length + endToEnd.length > 0;
clearGroupPrograms();
// What needs no machine runs while the image and the golden snapshot of the machines are made.
const prepared = startsMachines ? prepareMachines() : Promise.resolve();
const results = mergeResults(
  await Promise.all([
    runUnhurriedTests(),
    wantsStage("go") && wantedPaths.length === 0 ? runGoTests() : noResults(),
    wantsStage("python") ? runPythonTests(isWanted) : noResults(),
    startsMachines ? runTestsWithMachines() : noResults(),
  ]),
);
process.stdout.write(`\n${formatSlowest(results, slowestRows)}\n`);
process.stdout.write(formatFailures(results, failureRows));
process.stdout.write(
  `${results.passed} passed, ${results.failed} failed, ${results.skipped.length} skipped\n`,
);
for (const name of results.skipped) process.stdout.write(`  skipped: ${name}\n`);
if (results.passed + results.failed === 0) {
  process.stderr.write(
    `No test matches ${words.join(" ")}, or npm run test:full alone runs those that do.\n`,
  );
}
const skipsAreFailures = process.env["CI"] === "true" && results.skipped.length > 0;
if (skipsAreFailures) process.stderr.write("In CI a skipped test is a failed one.\n");
process.exitCode = results.failed > 0 || skipsAreFailures || results.passed === 0 ? 1 : 0;

/** Runs unit tests, then those of processes that need no machine, one at a time, and then those that hardly do. */
async function runUnhurriedTests() {
  const withoutMachines = [
    await runBeside(`unit: ${unit.length} files`, groupUnitTests(unit), {
      filesAtATime: unitConcurrency,
      priority: unitPriority,
    }),
    await runBeside(
      `integration without machines: ${delayTolerant.length} files`,
      groupsOfOne(longestFirst(delayTolerant, longFiles)),
      { filesAtATime: startsMachines ? 1 : concurrency, priority: delayTolerantPriority },
    ),
  ];
  const machinesAreReady = await prepared.then(
    () => true,
    // Those that need machines alone report it.
    () => false,
  );
  const withMachines = machinesAreReady
    ? await runBeside(`e2e beside the others: ${unhurried.length} files`, groupsOfOne(unhurried), {
        filesAtATime: 1,
        priority: delayTolerantPriority,
      })
    : noResults();
  return mergeResults([...withoutMachines, withMachines]);
}

/** @param {string[]} files */
function groupsOfOne(files) {
  return files.map((file) => ({
    name: file.replaceAll("/", "-").replace(/\.test\.ts$/, ""),
    files: [file],
  }));
}

/**
 * Runs groups of files with a lower priority where tests with machines run
 * beside them, and then prints what they report when all have ended.
 *
 * @param {string} title
 * @param {{ name: string, files: string[] }[]} groups
 * @param {{ filesAtATime: number, priority: number }} options
 */
async function runBeside(title, groups, { filesAtATime, priority }) {
  if (groups.length === 0) return noResults();
  const programs = groups.map((group) =>
    writeGroupProgram(group, startsMachines ? { priority } : {}),
  );
  const heading = `\n${title}\n`;
  if (!startsMachines) {
    process.stdout.write(heading);
    return await run(programs, filesAtATime);
  }
  const output = [heading];
  const results = await run(programs, filesAtATime, (text) => output.push(text));
  process.stdout.write(output.join(""));
  return results;
}

/** Starts the groups that share an installation first, since they take longest. */
async function runTestsWithMachines() {
  try {
    await prepared;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const failure = { name: "set-up of machines", file: "setup", message: error.message };
    process.stderr.write(`${error.message}\n`);
    return { ...noResults(), failed: 1, failures: [failure] };
  }
  process.stdout.write(`\nintegration: ${delaySensitive.length} files, e2e: ${hurried.length}\n`);
  const { shared, alone } = groupEndToEndTests(hurried, { groups: sharedInstallations, shares });
  const files = longestFirst([...alone, ...delaySensitive], longFiles);
  return run(
    [
      ...shared.map((group) => writeGroupProgram(group, { sharesInstallation: true })),
      ...files.map((file) => join(projectDirectory, file)),
    ],
    concurrency,
  );
}

/**
 * @param {string[]} paths
 * @param {number} filesAtATime
 * @param {(text: string) => void} [print]
 */
async function run(paths, filesAtATime, print = (text) => process.stdout.write(text)) {
  // Without files, Node would look for some.
  if (paths.length === 0) return noResults();
  return runFiles(paths, {
    directory: projectDirectory,
    concurrency: filesAtATime,
    fileMinutesMax,
    print,
  });
}

/**
 * Whether a test starts no machine, measures no memory and waits for no network: those of these
 * packages, and those of the proxy that compute.
 *
 * @param {string} file of an integration test
 */
function toleratesDelay(file) {
  return (
    /^packages\/(cli|control-plane|standalone)\//.test(file) ||
    /^packages\/egress-proxy\/src\/(redaction\/|exchange\/no-oracle)/.test(file)
  );
}

/** @param {string} file */
function isOfThisRun(file) {
  return isFullRun || hasTestsOfEveryRun(readFileSync(join(projectDirectory, file), "utf8"));
}

/** @param {string} file of an integration test */
function isBaked(file) {
  return readFileSync(join(projectDirectory, file), "utf8").includes("isBaked: true");
}

/** @param {string} file of an end-to-end test */
function shares(file) {
  return readFileSync(join(projectDirectory, file), "utf8").includes("startSharedScenario(");
}

/** Makes what the tests with machines, or with clients of gRPC, share. */
async function prepareMachines() {
  const { step } = createProgress({ hasLastLine: false });
  process.stdout.write("\n");
  const client = step("gRPC of Go for tests of the proxy", buildGoGrpcClient);
  await step("guest agent and image", buildGuestImage);
  if (startsBaked) await step("golden snapshot", bakeGolden);
  await client;
}

/** Bakes what the tests with machines share, once for all of them. */
async function bakeGolden() {
  const script = join(projectDirectory, "e2e/prepare-template.ts");
  await runProgram(process.execPath, [...process.execArgv, script], { cwd: projectDirectory });
  return "up to date";
}
