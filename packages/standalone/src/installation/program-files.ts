import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type NodeProcess, nodeOptions, programFiles } from "@opencomputer/protocol/wire";

const root = new URL("../../../../", import.meta.url);
const pathOf = (path: string) => fileURLToPath(new URL(path, root));

/** The root of the checkout. */
export const checkoutDirectory = pathOf(".");

/** Whether the service runs from its sources, as by `npm run dev`, and not from what was compiled. */
export const runsFromSource = import.meta.url.endsWith(".ts");

const librariesDirectory = pathOf("node_modules");

/** The paths that a process needs to run: this product, Node, and the libraries where they are not bundled. */
export const programPaths: readonly string[] = [
  pathOf("packages"),
  ...(runsFromSource ? [librariesDirectory] : []),
  realpathSync(process.execPath),
];

/** The options of Node on the command line of a process. */
export function nodeOptionsOf(name: NodeProcess): readonly string[] {
  return [...nodeOptions[name].commandLine, ...(runsFromSource ? ["--conditions=source"] : [])];
}

/** The main file of a process. */
export function mainFileOf(name: NodeProcess): string {
  return pathOf(programFiles[name][runsFromSource ? "source" : "compiled"]);
}

export const guestImageDirectory = pathOf("guest-image/build");

/**
 * Checks that the users of the processes can read the program, which they
 * cannot after a set-up with the file mode mask 077.
 *
 * @throws when they cannot.
 */
export async function assertProgramIsReadable(): Promise<void> {
  const samples = [
    ...[mainFileOf("control-plane"), mainFileOf("egress-proxy")],
    pathOf("packages/protocol/package.json"),
    ...(runsFromSource ? [`${librariesDirectory}/zod/package.json`] : []),
    ...programPaths,
  ];
  for (const path of samples) {
    const { mode } = await stat(path);
    if ((mode & 0o004) !== 0) continue;
    throw new Error(
      `${path} can be read only by its owner, and the processes of the service run as other users: run \`chmod -R go+rX ${programPaths.join(" ")}\`.`,
    );
  }
}
