// @ts-check
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { projectDirectory } from "./project-steps.mjs";
import { runProgram } from "./run-program.mjs";
import { SetupError } from "./setup-error.mjs";

/**
 * A Python of this machine.
 *
 * @typedef {object} Python
 * @property {string} program
 * @property {number[]} version such as `[3, 13, 0]`
 */

/** The folder of the Python SDK. */
export const sdkDirectory = join(projectDirectory, "sdk-python");

/** The oldest that the SDK supports. */
const versionMin = [3, 10];
const environmentsDirectory = join(projectDirectory, ".cache/python");
const pip = ["-m", "pip"];
const quiet = ["--quiet", "--disable-pip-version-check"];
const probe = "import ensurepip, sys, venv; print(*sys.version_info[:3])";

/** The interpreter that has the tools of `npm run check`. */
export const checkPython = join(environmentsDirectory, "check/bin/python");

/**
 * Installs the linter and the type checker of the Python SDK.
 *
 * @param {(text: string) => void} report
 */
export async function installPythonTools(report) {
  const [python] = await oldestAndNewestPython();
  const requirements = join(sdkDirectory, "requirements/check.txt");
  return await installEnvironment("check", { python, requirements }, report);
}

/**
 * Installs the gRPC client and server that tests of the egress proxy run, into
 * an environment of their own: the SDK has nothing to do with gRPC.
 *
 * @param {(text: string) => void} report
 */
export async function installGrpc(report) {
  const pythons = await oldestAndNewestPython();
  const requirements = join(
    projectDirectory,
    "packages/egress-proxy/src/testing/grpc/requirements.txt",
  );
  return await installEnvironment(
    "grpc",
    { python: pythons.at(-1) ?? pythons[0], requirements },
    report,
  );
}

/**
 * Installs the Python SDK as its users do, with what its tests need, for the
 * oldest and the newest Python of this machine.
 *
 * @param {(text: string) => void} report
 */
export async function installPythonSdk(report) {
  const requirements = join(sdkDirectory, "requirements/test.txt");
  const sources = sdkSources();
  /** @type {Promise<string> | undefined} */
  let wheel;
  const pythons = await oldestAndNewestPython();
  const outcomes = await Promise.all(
    pythons.map(async (python) => {
      const name = nameOf(python);
      const packages = async (/** @type {string} */ program) => {
        wheel ??= buildWheel(program);
        return [await wheel];
      };
      const plan = { python, requirements, sources, packages };
      return (await installEnvironment(name, plan, report)) === null ? [] : [name];
    }),
  );
  const installed = outcomes.flat();
  return installed.length === 0 ? null : `installed for ${installed.join(" and ")}`;
}

/** The interpreters that {@link installPythonSdk} has made: of one Python, or of two. */
export async function testPythons() {
  const pythons = await oldestAndNewestPython();
  return pythons.map((python) => ({
    name: `Python ${python.version.join(".")}`,
    program: join(environmentsDirectory, nameOf(python), "bin/python"),
  }));
}

/** The newest of {@link testPythons}. */
export async function newestTestPython() {
  const pythons = await oldestAndNewestPython();
  return join(environmentsDirectory, nameOf(pythons.at(-1) ?? pythons[0]), "bin/python");
}

/**
 * One entry when they are the same.
 *
 * @param {Python[]} pythons
 * @returns {[Python, ...Python[]]}
 */
export function chooseOldestAndNewest(pythons) {
  const [oldest, ...others] = pythons
    .filter(({ version }) => compare(version, versionMin) >= 0)
    .toSorted((one, other) => compare(one.version, other.version));
  if (oldest === undefined) {
    throw new SetupError(
      `Python ${versionMin.join(".")} or newer with its venv module is needed: install python3 and python3-venv.`,
    );
  }
  const newest = others.at(-1);
  return newest === undefined || compare(newest.version, oldest.version) === 0
    ? [oldest]
    : [oldest, newest];
}

/** @returns {Promise<[Python, ...Python[]]>} */
async function oldestAndNewestPython() {
  const found = await Promise.all([...new Set(candidates())].map(inspect));
  return chooseOldestAndNewest(found.filter((python) => python !== undefined));
}

/** Programs that may be a Python: those of the path, and those that pyenv keeps beside it. */
function candidates() {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const versions = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const kept = existsSync(versions) ? readdirSync(versions) : [];
  const all = [...folders, "/usr/bin", ...kept.map((version) => join(versions, version, "bin"))];
  return all
    .filter((folder) => existsSync(folder) && !folder.includes("shims"))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => /^python3(\.\d+)?$/.test(name))
        .map((name) => join(folder, name)),
    )
    .filter((program) => existsSync(program))
    .map((program) => realpathSync(program));
}

/**
 * @param {string} program
 * @returns {Promise<Python | undefined>}
 */
async function inspect(program) {
  try {
    const printed = await runProgram(program, ["-c", probe]);
    return { program, version: printed.trim().split(" ").map(Number) };
  } catch (error) {
    // A Python that cannot make virtual environments, or none at all.
    if (error instanceof SetupError) return undefined;
    throw error;
  }
}

/**
 * A virtual environment with what the file of requirements lists, unless there
 * is one that was made of the same. `packages` are installed with them, and
 * made of `sources`; it is called with the environment's interpreter.
 *
 * @param {string} name
 * @param {{ python: Python, requirements: string, sources?: string, packages?: (program: string) => Promise<string[]> }} plan
 * @param {(text: string) => void} report
 */
async function installEnvironment(name, plan, report) {
  const { python, requirements, sources = "", packages } = plan;
  const directory = join(environmentsDirectory, name);
  const stamp = join(directory, "fingerprint");
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([python, ["--requirement", requirements], sources]))
    .update(readFileSync(requirements))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report(`virtual environment of ${name}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(environmentsDirectory, { recursive: true });
  await runProgram(python.program, ["-m", "venv", directory]);
  const program = join(directory, "bin/python");
  const others = (await packages?.(program)) ?? [];
  report(`pip install for ${name}`);
  await runProgram(program, [
    ...pip,
    "install",
    ...quiet,
    // Python compiles the few modules that are imported when they are.
    "--no-compile",
    "--requirement",
    requirements,
    ...others,
  ]);
  writeFileSync(stamp, fingerprint);
  return "installed";
}

/**
 * Builds the wheel of the SDK, the same for every Python, and returns its path.
 *
 * @param {string} program an interpreter with pip
 */
async function buildWheel(program) {
  const directory = join(environmentsDirectory, "wheel");
  rmSync(directory, { recursive: true, force: true });
  await runProgram(program, [
    ...pip,
    "wheel",
    ...quiet,
    "--no-deps",
    `--wheel-dir=${directory}`,
    sdkDirectory,
  ]);
  const file = readdirSync(directory).find((name) => name.endsWith(".whl"));
  if (file === undefined) throw new Error(`pip left no wheel in ${directory}`);
  return join(directory, file);
}

/** The text of everything that a wheel of the SDK is made of. */
function sdkSources() {
  const files = readdirSync(join(sdkDirectory, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\/(sync|__pycache__)$/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const others = ["pyproject.toml", "generate_sync.py", "README.md"];
  return [...files, ...others.map((name) => join(sdkDirectory, name))]
    .map((file) => `${file}\n${readFileSync(file, "utf8")}`)
    .join("\n");
}

/** @param {Python} python */
function nameOf(python) {
  return `python-${python.version.join(".")}`;
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function compare(one, other) {
  const index = one.findIndex((part, place) => part !== (other[place] ?? 0));
  return index === -1 ? 0 : (one[index] ?? 0) - (other[index] ?? 0);
}
