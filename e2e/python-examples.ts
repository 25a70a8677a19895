import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guideDirectory, type Printed, readFences } from "./guide-examples.ts";

const exampleProgram = fileURLToPath(new URL("run-python-example.py", import.meta.url));
const sdkDirectory = fileURLToPath(new URL("../sdk-python", import.meta.url));
const imports = "from opencomputer import Project, Sandbox, SecretStore\n";

/** The examples of the guide's pages on Python, and one Python to run them with. */
export interface PythonExamples {
  /** Runs the example `page/name` with texts replaced; rejects when it fails. */
  run(example: string, replace?: Record<string, string>): Promise<Printed>;
  /** What the example prints according to the guide. */
  output(example: string): string;
  /** Runs a program of this repository. */
  runProgram(path: string, ...words: string[]): Promise<Printed>;
  notRun(): string[];
  end(): Promise<void>;
}

/** @param python The interpreter of a virtual environment that has the SDK. */
export async function openPythonExamples(
  connection: { apiUrl: string; apiKey: string },
  python: string,
): Promise<PythonExamples> {
  const fences = new Map<string, { language: string; text: string }>();
  for (const file of await readdir(guideDirectory)) {
    if (!file.startsWith("python")) continue;
    const page = file.replace(/\.md$/, "");
    const markdown = await readFile(join(guideDirectory, file), "utf8");
    for (const [name, fence] of readFences(file, markdown)) {
      fences.set(name.replace(" ", ` ${page}/`), fence);
    }
  }
  const home = await mkdtemp(join(tmpdir(), "python-examples-"));
  // The shell examples run in a clone of the repository.
  await symlink(sdkDirectory, join(home, "sdk-python"));
  const environment = {
    ...process.env,
    PATH: `${dirname(python)}:${process.env["PATH"]}`,
    HOME: home,
    // A coroutine that is not awaited fails the example; the SDK's own warnings are printed.
    PYTHONWARNINGS: "error,default::UserWarning",
    PYTHONUNBUFFERED: "1",
    OPENCOMPUTER_API_URL: connection.apiUrl,
    OPENCOMPUTER_API_KEY: connection.apiKey,
  };
  const wereRun = new Set<string>();

  function find(name: string): { language: string; text: string } {
    const fence = fences.get(name);
    if (fence === undefined) throw new Error(`The guide has no ${name}`);
    return fence;
  }

  async function execute(program: string, words: string[]): Promise<Printed> {
    const options = { env: environment, cwd: home, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(program, words, options);
    return { stdout, stderr };
  }

  return {
    async run(example, replace = {}) {
      const { language, text } = find(`example ${example}`);
      wereRun.add(`example ${example}`);
      if (language === "sh") {
        // The warnings of pip are not the SDK's.
        const script = `unset PYTHONWARNINGS\n${text}`;
        return await execute("bash", ["--norc", "-euo", "pipefail", "-c", script]);
      }
      const replaced = Object.entries(replace).reduce(
        (changed, [from, to]) => changed.replaceAll(from, () => to),
        text,
      );
      const file = join(home, `${example.replace("/", "-")}.py`);
      await writeFile(file, /^(from|import) /m.test(text) ? replaced : imports + replaced);
      const printed = await execute(python, [exampleProgram, file]);
      // What is left open is warned of while it is collected, where no warning can be raised.
      if (/ResourceWarning|Exception ignored/.test(printed.stderr)) throw new Error(printed.stderr);
      return printed;
    },
    output: (example) => find(`output ${example}`).text,
    runProgram: (path, ...words) => execute(python, [path, ...words]),
    notRun: () =>
      [...fences.keys()].filter((name) => name.startsWith("example ") && !wereRun.has(name)),
    end: () => rm(home, { recursive: true }),
  };
}
