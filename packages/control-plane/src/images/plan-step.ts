import { posix } from "node:path";
import type { ImageStep } from "@opencomputer/protocol/api";
import { guestLayout } from "@opencomputer/protocol/wire";
import { aptOptionsScript, type BuildSources, quote } from "./build-sources.ts";

/** Where builds keep files that must not be in the image. */
export const stagingDirectory = "/var/tmp/opencomputer-build";

/** What the steps so far have set for those after them, and for every sandbox of the image. */
export interface BuildState {
  envs: Readonly<Record<string, string>>;
  workingDirectory: string | null;
  /** Whether apt's lists are those of its sources. */
  hasAptLists: boolean;
}

export const initialBuildState: BuildState = {
  envs: {},
  workingDirectory: null,
  hasAptLists: false,
};

/** One thing to be done in the builder. */
export type BuildAction =
  /** A script for bash, as root. `shown` is what a failure quotes. */
  | { kind: "run"; script: string; shown: string }
  | { kind: "write"; path: string; contentBase64: string };

export interface StepPlan {
  /** For the log, such as `apt_install git`. */
  title: string;
  actions: BuildAction[];
  /** The state once the actions are done. */
  next: BuildState;
}

/** Plans what a step does to the builder and to the steps after it. */
export function planStep(step: ImageStep, state: BuildState, sources: BuildSources): StepPlan {
  const at = (path: string) => resolveGuestPath(path, state);
  switch (step.type) {
    case "apt_install": {
      const packages = step.args.packages.map(quote).join(" ");
      const script = [
        "set -e",
        aptOptionsScript(sources, stagingDirectory),
        ...(state.hasAptLists ? [] : ["apt-get $options update"]),
        `apt-get $options install --yes --no-install-recommends -- ${packages}`,
      ].join("\n");
      const shown = `apt-get install ${step.args.packages.join(" ")}`;
      return plan(step, step.args.packages.join(" "), [{ kind: "run", script, shown }], {
        ...state,
        hasAptLists: true,
      });
    }
    case "pip_install": {
      const script = `python3 -m pip install --break-system-packages -- ${step.args.packages.map(quote).join(" ")}`;
      const shown = `pip install ${step.args.packages.join(" ")}`;
      const actions: BuildAction[] = [{ kind: "run", script, shown }];
      return plan(step, step.args.packages.join(" "), actions, state);
    }
    case "run":
      return plan(
        step,
        step.args.commands.join("; "),
        step.args.commands.map((command) => ({ kind: "run", script: command, shown: command })),
        { ...state, hasAptLists: false },
      );
    case "env":
      return plan(step, Object.keys(step.args.vars).join(" "), [], {
        ...state,
        envs: { ...state.envs, ...step.args.vars },
      });
    case "workdir": {
      const path = at(step.args.path);
      const script = `${makeDirectory}\nmake_directory ${quote(path)} ${guestLayout.userId}:${guestLayout.userId}`;
      const actions: BuildAction[] = [{ kind: "run", script, shown: `mkdir -p ${path}` }];
      return plan(step, path, actions, { ...state, workingDirectory: path });
    }
    case "add_file": {
      const path = at(step.args.path);
      return plan(
        step,
        path,
        [
          { kind: "write", path: stagedFile, contentBase64: step.args.content },
          { kind: "run", script: placeFileScript(path), shown: `cannot place ${path}` },
        ],
        { ...state, hasAptLists: false },
      );
    }
    case "add_dir": {
      const path = at(step.args.path);
      const writes = step.args.files.map(
        ({ relativePath, content }): BuildAction => ({
          kind: "write",
          path: `${stagedTree}/${relativePath}`,
          contentBase64: content,
        }),
      );
      return plan(
        step,
        `${path} (${writes.length} files)`,
        [...writes, { kind: "run", script: placeTreeScript(path), shown: `cannot place ${path}` }],
        { ...state, hasAptLists: false },
      );
    }
  }
}

/** Removes the traces of a build. */
export const cleanUpScript = [
  "apt-get clean",
  `rm -rf ${stagingDirectory} /var/lib/apt/lists/*`,
  "sync",
].join("\n");

const stagedFile = `${stagingDirectory}/file`;
const stagedTree = `${stagingDirectory}/tree`;
const titleCharactersMax = 200;

function plan(
  step: ImageStep,
  subject: string,
  actions: BuildAction[],
  next: BuildState,
): StepPlan {
  const title = `${step.type} ${subject}`.replace(/\s+/g, " ");
  const isLong = title.length > titleCharactersMax;
  return { title: isLong ? `${title.slice(0, titleCharactersMax)}…` : title, actions, next };
}

function resolveGuestPath(path: string, { workingDirectory }: BuildState): string {
  return posix.resolve("/", workingDirectory ?? guestLayout.home, path);
}

/** `make_directory PATH OWNER`: what it makes belongs to the owner, what exists is not changed. */
const makeDirectory = `set -e
make_directory() {
  if [ -d "$1" ]; then return; fi
  make_directory "$(dirname -- "$1")" "$2"
  mkdir -- "$1"
  chown -- "$2" "$1"
}`;

/** `owner_of PATH`: the owner of the nearest directory that exists. */
const ownerOf = `owner_of() {
  local directory=$1
  while [ ! -d "$directory" ]; do directory=$(dirname -- "$directory"); done
  stat --format=%u:%g -- "$directory"
}`;

/** Replaces a file that exists; the new one belongs to the owner of its directory. */
function placeFileScript(path: string): string {
  const [file, directory] = [quote(path), quote(posix.dirname(path))];
  return `${makeDirectory}
${ownerOf}
owner=$(owner_of ${directory})
make_directory ${directory} "$owner"
chown -- "$owner" ${stagedFile}
mv --force --no-target-directory -- ${stagedFile} ${file}`;
}

function placeTreeScript(path: string): string {
  const target = quote(path);
  return `${makeDirectory}
${ownerOf}
owner=$(owner_of ${target})
make_directory ${target} "$owner"
mkdir -p ${stagedTree}
chown -R -- "$owner" ${stagedTree}
tar -C ${stagedTree} -cf - . | tar -C ${target} -xpf - --same-owner --no-overwrite-dir
rm -rf ${stagedTree}`;
}
