import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = new URL("../../../", import.meta.url);
const pathOf = (path: string) => fileURLToPath(new URL(path, root));

/** What a process needs to run: this product, its libraries and Node. */
export const programPaths: readonly string[] = [
  pathOf("packages"),
  pathOf("node_modules"),
  realpathSync(process.execPath),
];

/** The main file of a process's package. */
export function mainFileOf(name: string): string {
  return pathOf(`packages/${name}/dist/main.js`);
}

/** What acts on the host as root, for the worker. */
export const hostMainFile = pathOf("packages/worker/dist/host/main.js");

export const guestImageDirectory = pathOf("guest-image/build");

/**
 * @throws when the users of the processes cannot read the program, as after a
 * set-up with the file mode mask 077.
 */
export async function assertProgramIsReadable(): Promise<void> {
  const samples = [
    ...[mainFileOf("control-plane"), mainFileOf("egress-proxy")],
    ...[pathOf("packages/protocol/package.json"), pathOf("node_modules/zod/package.json")],
    ...programPaths,
  ];
  for (const path of samples) {
    const { mode } = await stat(path);
    if ((mode & 0o004) !== 0) continue;
    throw new Error(
      `${path} can be read by its owner alone, and the processes of the service run as other users: run \`chmod -R go+rX ${programPaths.join(" ")}\`.`,
    );
  }
}
