import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { type ContractServer, startContractServer } from "@opencomputer/sdk/testing";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { packPackages } from "../setup/pack/pack-packages.mjs";

const repository = fileURLToPath(new URL("..", import.meta.url));
const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

/** Without what `npm test` passes on, such as its working directory. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || /^npm_config_(registry|cache|userconfig)$/i.test(name),
  ),
);

const installers = {
  npm: ["npm", "install", "--no-audit", "--no-fund"],
  pnpm: ["npx", "--yes", "pnpm@10", "add"],
};

/** Uses the SDK as a program would; `Sandbox`, `nodeSandbox` and the like are imported above it. */
const program = `
  const run = async () => {
    const store = await SecretStore.create({ name: "store-" + Math.random() });
    const sandbox = await Sandbox.create({ secretStore: store.name });
    const session = await sandbox.exec.start("echo streamed", {
      onStdout: (data) => void process.stdout.write(data),
    });
    await session.wait();
    const refused = await Sandbox.connect("sb-absent").catch((error) => error);
    console.log(refused instanceof OpenComputerError, refused.code, Sandbox === NodeSandbox);
  };
  void run();
`;
const names = "Sandbox, SecretStore, OpenComputerError";
const sources = {
  "program.mjs": `
    import { ${names} } from "@opencomputer/sdk";
    import { Sandbox as NodeSandbox } from "@opencomputer/sdk/node";
    ${program}`,
  "program.cjs": `
    const { ${names} } = require("@opencomputer/sdk");
    const { Sandbox: NodeSandbox } = require("@opencomputer/sdk/node");
    ${program}`,
};
const programOutput = "streamed\ntrue sandbox_not_found true\n";

const typedProgram = `
  import { OpenComputerError, Sandbox, type SandboxStatus } from "@opencomputer/sdk";
  import { Image } from "@opencomputer/sdk/node";

  export async function main(): Promise<string> {
    const sandbox: Sandbox = await Sandbox.create({ image: Image.base().pipInstall(["numpy"]) });
    const { exitCode, stdout } = await sandbox.exec.run("true", { timeout: 5 });
    const code: number = exitCode;
    const [first] = await Sandbox.list({ status: "running" });
    const status: SandboxStatus | undefined = first?.status;
    // @ts-expect-error no status has this name
    const wrong: typeof status = "resting";
    // @ts-expect-error the time-out is in seconds
    await Sandbox.create({ timeout: "600" });
    const error = new OpenComputerError("not_found", "there is none");
    return [code, stdout, status, wrong, error.message].join();
  }
`;

function tarballData(path: string): ArrayBuffer {
  return new Uint8Array(readFileSync(path)).buffer;
}

describe("packed packages", () => {
  let folder: string;
  let server: ContractServer;
  let sdk: string;
  let cli: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "packed-packages-"));
    [sdk = "", cli = ""] = await packPackages(join(folder, "packed"));
    server = await startContractServer();
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  async function run(
    directory: string,
    [command = "", ...words]: string[],
    variables: Record<string, string> = {},
  ): Promise<string> {
    const connection = { OPENCOMPUTER_API_URL: server.url, OPENCOMPUTER_API_KEY: server.apiKey };
    const { stdout } = await promisify(execFile)(command, words, {
      cwd: directory,
      env: { ...environment, ...connection, ...variables },
    });
    return stdout;
  }

  function createProject(files: Record<string, string>): string {
    const project = mkdtempSync(join(folder, "project-"));
    writeFileSync(join(project, "package.json"), '{ "private": true }');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
    return project;
  }

  for (const [name, install] of Object.entries(installers)) {
    const extent = name === "npm" ? "" : " (full run)";
    describe(`the SDK in an empty project, installed with ${name}${extent}`, () => {
      let project: string;
      before(async () => {
        project = createProject(sources);
        await run(project, [...install, sdk]);
      });

      for (const file of Object.keys(sources)) {
        test(`runs in ${file}`, async () => {
          assert.equal(await run(project, [process.execPath, file]), programOutput);
        });
      }

      test("runs from a bundle", async () => {
        await build({
          entryPoints: [join(project, "program.mjs")],
          outfile: join(project, "bundle.cjs"),
          bundle: true,
          platform: "node",
        });
        assert.equal(await run(project, [process.execPath, "bundle.cjs"]), programOutput);
      });

      test("a bundle for browsers has nothing of Node.js", async () => {
        const { metafile } = await build({
          stdin: { contents: 'export * from "@opencomputer/sdk"', resolveDir: project },
          bundle: true,
          platform: "browser",
          format: "esm",
          write: false,
          metafile: true,
        });
        const inputs = Object.keys(metafile.inputs);
        assert.ok(inputs.some((path) => path.endsWith("esm/web.js")));
        assert.deepEqual(
          inputs.filter((path) => /node_modules\/(undici|ws)\//.test(path)),
          [],
        );
      });

      for (const [resolution, module, file] of [
        ["bundler", "esnext", "typed.ts"],
        ["node16", "node16", "typed.mts"],
        ["node16", "node16", "typed.cts"],
        ["nodenext", "nodenext", "typed.mts"],
      ] as const) {
        test(`has types for ${file} with module resolution ${resolution}`, async () => {
          writeFileSync(join(project, file), typedProgram);
          const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--types", ""];
          const target = ["--target", "es2023", "--lib", "es2023,dom,dom.iterable"];
          const resolving = ["--module", module, "--moduleResolution", resolution];
          const words = [compiler, ...options, ...target, ...resolving, file];
          assert.equal(await run(project, [process.execPath, ...words]), "");
        });
      }
    });
  }

  test("pass publint without a suggestion", async () => {
    for (const path of [sdk, cli]) {
      const { messages, pkg } = await publint({
        pack: { tarball: tarballData(path) },
        strict: true,
      });
      assert.deepEqual(
        messages.map((message) => formatMessage(message, pkg)),
        [],
        path,
      );
    }
  });

  test("have types that every module resolution of TypeScript finds", async () => {
    const typed = await checkPackage(
      createPackageFromTarballData(new Uint8Array(tarballData(sdk))),
    );
    assert.ok(typed.types !== false);
    assert.deepEqual(typed.problems, []);
    const untyped = await checkPackage(
      createPackageFromTarballData(new Uint8Array(tarballData(cli))),
    );
    assert.equal(untyped.types, false, "oc is a program without an interface for imports");
  });

  test("have the manifest fields of the repository", async () => {
    const root = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    for (const [directory, tarball] of [
      ["packages/sdk", sdk],
      ["packages/cli", cli],
    ] as const) {
      const project = createProject({});
      await run(project, ["tar", "-xzf", tarball]);
      const manifest = JSON.parse(readFileSync(join(project, "package/package.json"), "utf8"));
      const { version, license, engines, repository } = manifest;
      assert.deepEqual(
        { version, license, engines, repository },
        {
          version: root.version,
          license: root.license,
          engines: root.engines,
          repository: { ...root.repository, directory },
        },
      );
      assert.equal(manifest.private, undefined);
    }
  });

  test("are made by npm run pack alone", async () => {
    for (const workspace of ["packages/sdk", "packages/cli"]) {
      const packing = run(repository, ["npm", "pack", "--dry-run", "--workspace", workspace]);
      await assert.rejects(packing, { stderr: /Run `npm run pack` in the root of the repository/ });
    }
  });

  test("contain no name of another package of this repository, nor of the service's wires", async () => {
    for (const tarball of [sdk, cli]) {
      const project = createProject({});
      await run(project, ["tar", "-xzf", tarball]);
      const files = readdirSync(project, { recursive: true, encoding: "utf8" });
      const texts = files
        .filter((file) => /\.(ts|js|json)$/.test(file))
        .map((file) => readFileSync(join(project, file), "utf8"));
      assert.ok(texts.length > 3);
      for (const text of texts) {
        assert.doesNotMatch(text, /@opencomputer\/(protocol|sdk\/)/);
        // Names of protocol's internal entry point, in code and in declarations.
        assert.doesNotMatch(text, /\b(egressSession|workerSandbox|agentRunRequest|serviceLimits)/i);
      }
    }
  });

  describe("oc, installed globally and without a registry", () => {
    let prefix: string;
    let oc: (...words: string[]) => Promise<string>;
    before(async () => {
      prefix = join(folder, "prefix");
      await run(folder, ["npm", "install", "--global", "--offline", "--prefix", prefix, cli]);
      oc = (...words) => run(folder, [join(prefix, "bin/oc"), ...words], { HOME: folder });
    });

    test("prints its version and its help", async () => {
      const manifest = new URL("../packages/cli/package.json", import.meta.url);
      const { version } = JSON.parse(readFileSync(manifest, "utf8"));
      assert.equal(await oc("--version"), `${version}\n`);
      assert.match(await oc("--help"), /^Usage: oc /);
      assert.match(await oc("checkpoint", "create", "--help"), /^Usage: oc checkpoint create /);
    });

    test("loads only what a command uses", async () => {
      const listing = join(folder, "list-modules.cjs");
      const list = "process.stdout.write(Object.keys(require.cache).join('\\n'))";
      writeFileSync(listing, `process.on("exit", () => ${list});`);
      const command = [process.execPath, "--require", listing, join(prefix, "bin/oc")];
      const modules = await run(folder, [...command, "ls"], { HOME: folder });
      assert.match(modules, /parts\/list\.js/);
      assert.doesNotMatch(modules, /parts\/(undici|attach-session|ora|project|snapshot)\.js/);
      assert.doesNotMatch(modules, /parts\/(create-mcp-server|serve-(http|stdio))\.js/);
    });

    test("serves the tools of an agent", async () => {
      const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
      const served = await run(folder, ["sh", "-c", `echo '${list}' | ${prefix}/bin/oc mcp`]);
      assert.match(served, /"name":"create_sandbox"/);
    });

    test("lists, creates and uses sandboxes", async () => {
      const id = (await oc("create")).trim();
      assert.match(await oc("ls"), new RegExp(`^ID .*^${id} .*running`, "ms"));
      assert.equal(await oc("exec", id, "--", "echo streamed"), "streamed\n");
      assert.equal(await oc("kill", id), `Killed ${id}\n`);
    });
  });
});
