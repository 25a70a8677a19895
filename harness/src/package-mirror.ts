import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A Debian repository with one package and a Python index, for hosts that speak plain HTTP. */
export interface PackageMirror {
  /** Settings of an installation whose builds use the mirror. */
  environment: Record<string, string>;
  hosts: string[];
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

/**
 * Makes the packages: `greeter` for apt, whose command `greet` prints
 * `hello from greeter`, and Python packages that hold nothing but their version.
 *
 * @param pythonPackages Version by name.
 */
export async function createPackageMirror(
  pythonPackages: Readonly<Record<string, string>>,
): Promise<PackageMirror> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-mirror-"));
  const files = new Map<string, Buffer>();
  const deb = await makeDeb(directory);
  files.set("/greeter_1.0_all.deb", deb);
  files.set("/Packages", Buffer.from(describeDeb(deb)));
  for (const [name, version] of Object.entries(pythonPackages)) {
    const wheel = `${name}-${version}-py3-none-any.whl`;
    files.set(`/${wheel}`, await makeWheel(directory, name, version));
    const link = `<!DOCTYPE html><a href="/${wheel}">${wheel}</a>`;
    files.set(`/simple/${name}/`, Buffer.from(link));
  }

  return {
    environment: {
      OPENCOMPUTER_APT_MIRROR: "deb [trusted=yes] http://apt.example.test/ ./",
      OPENCOMPUTER_PIP_INDEX_URL: "http://pip.example.test/simple/",
    },
    hosts: ["apt.example.test", "pip.example.test"],
    handle(request, response) {
      const { pathname } = new URL(request.url ?? "/", "http://mirror");
      const content = files.get(pathname.replace("/./", "/"));
      if (content === undefined) response.writeHead(404);
      else if (pathname.endsWith("/")) response.setHeader("content-type", "text/html");
      response.end(content);
    },
    close: () => rm(directory, { recursive: true }),
  };
}

const control = `Package: greeter
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.test>
Description: prints a greeting
`;

async function makeDeb(directory: string): Promise<Buffer> {
  const root = join(directory, "greeter");
  const program = join(root, "usr/bin/greet");
  await mkdir(join(root, "DEBIAN"), { recursive: true });
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await writeFile(join(root, "DEBIAN/control"), control);
  await writeFile(program, "#!/bin/sh\necho hello from greeter\n");
  await chmod(program, 0o755);
  const path = join(directory, "greeter.deb");
  await run("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", root, path]);
  return await readFile(path);
}

/** The entry of a repository's index for the package. */
function describeDeb(deb: Buffer): string {
  const sha256 = createHash("sha256").update(deb).digest("hex");
  return `${control}Filename: ./greeter_1.0_all.deb\nSize: ${deb.length}\nSHA256: ${sha256}\n\n`;
}

/** A wheel as PEP 427 has it, without the hashes of its files, which pip does not ask for. */
async function makeWheel(directory: string, name: string, version: string): Promise<Buffer> {
  const root = join(directory, name);
  const info = `${name}-${version}.dist-info`;
  await mkdir(join(root, name), { recursive: true });
  await mkdir(join(root, info));
  await writeFile(join(root, name, "__init__.py"), `__version__ = "${version}"\n`);
  await writeFile(
    join(root, info, "METADATA"),
    `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
  );
  await writeFile(
    join(root, info, "WHEEL"),
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  const record = [`${name}/__init__.py`, `${info}/METADATA`, `${info}/WHEEL`, `${info}/RECORD`];
  await writeFile(join(root, info, "RECORD"), record.map((path) => `${path},,\n`).join(""));
  const path = join(directory, `${name}.zip`);
  await run("python3", ["-m", "zipfile", "-c", path, ...(await readdir(root))], { cwd: root });
  return await readFile(path);
}
