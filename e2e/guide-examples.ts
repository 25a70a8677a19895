import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
export const guideDirectory = join(here, "../docs/guide");
const typeScriptProgram = join(here, "../node_modules/typescript/bin/tsc");
const ocProgram = join(here, "../packages/cli/bin/oc.js");

/** A fence of the guide: an example, or what one prints. */
interface Fence {
  language: string;
  kind: "example" | "output";
  text: string;
}

/**
 * The fences of one page, as `example name` and `output name`.
 *
 * @throws when a fence of code is not an example: every one must be run.
 */
export function readFences(page: string, markdown: string): Map<string, Fence> {
  const fences = new Map<string, Fence>();
  const opened = markdown.match(/^```./gm)?.length ?? 0;
  let read = 0;
  for (const [, info = "", text = ""] of markdown.matchAll(/^```(.+)\n([\s\S]*?)^```$/gm)) {
    const [, language, kind, name] = /^(\w+) (example|output)=([\w-]+)$/.exec(info) ?? [];
    if (language === undefined || (kind !== "example" && kind !== "output")) {
      throw new Error(`${page}: expected \`\`\`ts example=name or output=name, got \`\`\`${info}`);
    }
    if (fences.has(`${kind} ${name}`)) throw new Error(`${page}: a second ${kind} ${name}`);
    fences.set(`${kind} ${name}`, { language, kind, text });
    read += 1;
  }
  if (read !== opened) throw new Error(`${page}: ${opened} fences open, ${read} close`);
  return fences;
}

export interface RunOptions {
  /** Texts of the example, such as an id that it cannot know, and what replaces each. */
  replace?: Record<string, string>;
  /** Id of the sandbox that a TypeScript example calls `sandbox` and does not make. */
  sandbox?: string;
  /** Constants that a TypeScript example uses and does not make. */
  given?: Record<string, unknown>;
  /** Shell commands that run after a shell example, in the same shell. */
  afterwards?: string;
}

export interface Printed {
  stdout: string;
  stderr: string;
}

/** The examples of the guide, and a reader's machine to run them on. */
export interface GuideExamples {
  /** Home directory of the shell examples. */
  home: string;
  /** Runs the example `page/name`; rejects when it fails. */
  run(example: string, options?: RunOptions): Promise<Printed>;
  /** Runs a shell command where the shell examples run. */
  shell(script: string): Promise<Printed>;
  /** The text of a page. */
  page(name: string): string;
  /** What the example `page/name` prints according to the guide. */
  output(example: string): string;
  /** The text of an example that prints its output as comments, without `# `. */
  comments(example: string): string;
  /** What the TypeScript compiler finds in the TypeScript examples that were run. */
  typeFaults(): Promise<string>;
  /** The examples that have not been run so far. */
  notRun(): string[];
  end(): Promise<void>;
}

/**
 * What a reader does with `<project-id>` and `<sandbox-id>`: look it up and put
 * it there. Each is the first that is listed at the moment it is needed.
 */
const lookUps = `
first() { node -pe 'JSON.parse(require("fs").readFileSync(0)).at(0)[process.argv[1]]' "$1"; }
project-id() { oc project list --json | first id; }
sandbox-id() { oc ls --json | first sandboxID; }
`;
const placeholders = { "<project-id>": "$(project-id)", "<sandbox-id>": "$(sandbox-id)" };

export async function openGuideExamples(connection: {
  apiUrl: string;
  apiKey: string;
}): Promise<GuideExamples> {
  const fences = new Map<string, Fence>();
  const pages = new Map<string, string>();
  for (const file of await readdir(guideDirectory)) {
    // Those in Python are run by a test of their own, with several versions.
    if (file.startsWith("python")) continue;
    const page = file.replace(/\.md$/, "");
    const markdown = await readFile(join(guideDirectory, file), "utf8");
    pages.set(page, markdown);
    for (const [name, fence] of readFences(file, markdown)) {
      fences.set(name.replace(" ", ` ${page}/`), fence);
    }
  }
  // Below this folder, so that the examples' imports find the SDK.
  const home = await mkdtemp(join(here, "example-"));
  const bin = join(home, "bin");
  await mkdir(bin);
  await symlink(ocProgram, join(bin, "oc"));
  const environment = {
    PATH: `${bin}:${process.env["PATH"]}`,
    HOME: home,
    OPENCOMPUTER_API_URL: connection.apiUrl,
    OPENCOMPUTER_API_KEY: connection.apiKey,
  };
  const wereRun = new Set<string>();

  function find(kind: Fence["kind"], name: string): Fence {
    const fence = fences.get(`${kind} ${name}`);
    if (fence === undefined) throw new Error(`The guide has no ${kind} ${name}`);
    return fence;
  }

  async function execute(command: string, words: string[]): Promise<Printed> {
    const options = { env: environment, cwd: home };
    const { stdout, stderr } = await promisify(execFile)(command, words, options);
    return { stdout, stderr };
  }

  async function runTypeScript(
    name: string,
    text: string,
    { sandbox, given }: { sandbox: string | undefined; given: Record<string, unknown> },
  ): Promise<Printed> {
    const constants = Object.entries(given).map(
      ([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`,
    );
    if (sandbox !== undefined) {
      constants.push(`const sandbox = await Sandbox.connect(${JSON.stringify(sandbox)});\n`);
    }
    const imports = 'import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";\n';
    const module = [/^import /m.test(text) ? "" : imports, ...constants, text].join("");
    const file = join(home, name.replace("/", "-"));
    await writeFile(`${file}.mts`, module);
    // The examples declare no types, so they are JavaScript, too.
    await writeFile(`${file}.mjs`, module);
    return await execute(process.execPath, [`${file}.mjs`]);
  }

  return {
    home,
    async run(example, { replace = {}, sandbox, given = {}, afterwards = "" } = {}) {
      const { language, text } = find("example", example);
      const replaced = Object.entries({ ...placeholders, ...replace }).reduce(
        (changed, [from, to]) => changed.replaceAll(from, () => to),
        text,
      );
      wereRun.add(`example ${example}`);
      if (language === "ts") return await runTypeScript(example, replaced, { sandbox, given });
      if (language !== "sh") throw new Error(`${example} is in ${language}: expected ts or sh`);
      const script = [lookUps, replaced, afterwards].join("\n");
      return await execute("bash", ["--norc", "-euo", "pipefail", "-c", script]);
    },
    shell: (script) => execute("bash", ["--norc", "-euo", "pipefail", "-c", script]),
    page: (name) => pages.get(name) ?? "",
    output: (example) => find("output", example).text,
    comments: (example) =>
      [...find("example", example).text.matchAll(/^# ?(.*)$/gm)]
        .map(([, line]) => `${line}\n`)
        .join(""),
    async typeFaults() {
      const files = (await readdir(home)).filter((file) => file.endsWith(".mts"));
      const options = [
        ...["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"],
        // The declarations of a package that an example uses name types of Node.
        ...["--types", "node"],
      ];
      // Declarations of the built packages, as a reader's compiler sees them.
      const words = [typeScriptProgram, ...options, "--ignoreConfig", ...files];
      return await new Promise((resolve) => {
        execFile(process.execPath, words, { cwd: home }, (error, stdout, stderr) =>
          resolve(error === null ? "" : `${stdout}${stderr}${error.message}`),
        );
      });
    },
    notRun: () =>
      [...fences]
        .filter(([name, { kind }]) => kind === "example" && !wereRun.has(name))
        .map(([name]) => name),
    end: () => rm(home, { recursive: true }),
  };
}
