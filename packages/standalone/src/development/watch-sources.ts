import { once } from "node:events";
import { join, relative } from "node:path";
import { watch } from "chokidar";

/** An editor that saves a file causes several events, and a checkout of a branch hundreds. */
const quietMilliseconds = 150;

/** The processes that run the code of each directory, in the order of their start. */
const processesOf: Readonly<Record<string, readonly string[]>> = {
  "packages/protocol/src": ["host", "worker", "egress-proxy", "control-plane"],
  "packages/process/src": ["host", "worker", "egress-proxy", "control-plane"],
  "packages/worker/src": ["host", "worker"],
  "packages/egress-proxy/src": ["egress-proxy"],
  "packages/control-plane/src": ["control-plane"],
  "packages/control-plane/migrations": ["control-plane"],
};

/**
 * Calls `restart` with the processes whose code was saved, once no further file
 * is saved. Tests, and what only tests use, belong to no process.
 *
 * @returns a function that ends the watch
 */
export async function watchSources(
  root: string,
  restart: (names: string[]) => void,
): Promise<() => Promise<void>> {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const report = () => {
    const names = new Set(Object.values(processesOf).flat());
    restart([...names].filter((name) => changed.has(name)));
    changed.clear();
  };
  const watcher = watch(
    Object.keys(processesOf).map((directory) => join(root, directory)),
    { ignoreInitial: true },
  );
  watcher.on("all", (_event, path) => {
    const file = relative(root, path);
    if (!runsInService(file)) return;
    for (const [directory, names] of Object.entries(processesOf)) {
      if (file.startsWith(`${directory}/`)) for (const name of names) changed.add(name);
    }
    clearTimeout(timer);
    timer = setTimeout(report, quietMilliseconds);
  });
  await once(watcher, "ready");
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
}

function runsInService(file: string): boolean {
  return /\.(ts|sql|json)$/.test(file) && !/\.test\.ts$|\/testing\//.test(file);
}
