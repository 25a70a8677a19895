import { dirname } from "node:path";
import { z } from "zod";

/** A file or directory of the host that a confined program can open. */
export interface Mount {
  readonly source: string;
  /** Its path in the confinement, mostly the same as on the host. */
  readonly target: string;
  /** `write` gives what the permissions of the file allow; `device` also lets it be used as one. */
  readonly access: "read" | "write" | "device";
}

export interface ProgramUser {
  readonly userId: number;
  readonly groupId: number;
  readonly otherGroupIds: readonly number[];
}

/** The part of the host that a confined program sees. Nothing else exists for it. */
export interface Confinement {
  readonly mounts: readonly Mount[];
  /** A path in the confinement. */
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The user that it runs as. It has no capability and can never get one. */
  readonly user: ProgramUser;
  /** The network namespace that it runs in; null for a new one without interfaces. */
  readonly networkNamespace: string | null;
  /** Whether it ends with the process that ran the command. */
  readonly endsWithCaller: boolean;
  /** Where its process id is written, see {@link parseProcessReport}; null for nowhere. */
  readonly reportDescriptor: number | null;
}

/** The links of a merged `/usr`. */
const libraryArguments = [
  ...["--perms", "0711", "--dir", "/usr"],
  ...["--ro-bind", "/usr/lib", "/usr/lib"],
  ...["--ro-bind-try", "/usr/lib64", "/usr/lib64"],
  ...["--symlink", "usr/lib", "/lib"],
  ...["--symlink", "usr/lib64", "/lib64"],
];
const capabilitySetter = "/usr/bin/setpriv";
/** Where programs are, on the read-only file system of the confinement. */
const programPath = "/usr/bin";

const bindOptions = { read: "--ro-bind", write: "--bind", device: "--dev-bind" } as const;

/** Mounts a file or directory at the path that it has on the host. */
export function inPlace(path: string, access: Mount["access"]): Mount {
  return { source: path, target: path, access };
}

/**
 * The command that runs another one, from `/usr/bin`, in new mount, process, IPC
 * and UTS namespaces, without core dumps and unable to gain privileges. Of the
 * host it sees only the libraries and the mounts. The program is process 1
 * there: everything that it starts ends with it.
 */
export function confined(command: readonly string[], confinement: Confinement): string[] {
  const [program = "", ...programArguments] = command;
  const { user, networkNamespace, reportDescriptor } = confinement;
  const path = `${programPath}/${program}`;
  const mounts = [inPlace(path, "read"), inPlace(capabilitySetter, "read"), ...confinement.mounts];
  return [
    ...["prlimit", "--core=0:0"],
    ...(networkNamespace === null ? [] : ["nsenter", `--net=/run/netns/${networkNamespace}`]),
    ...["bwrap", "--as-pid-1", "--unshare-pid", "--unshare-ipc", "--unshare-uts"],
    ...(networkNamespace === null ? ["--unshare-net"] : []),
    ...(confinement.endsWithCaller ? ["--die-with-parent"] : []),
    ...(reportDescriptor === null ? [] : ["--info-fd", String(reportDescriptor)]),
    ...["--cap-drop", "ALL"],
    // For `setpriv`, which gives them up.
    ...["setuid", "setgid", "setpcap"].flatMap((name) => [
      "--cap-add",
      `CAP_${name.toUpperCase()}`,
    ]),
    ...libraryArguments,
    ...mounts.flatMap(mountArguments),
    ...["--remount-ro", "/", "--chdir", confinement.workingDirectory],
    ...["--clearenv", "--setenv", "PATH", programPath],
    ...Object.entries(confinement.environment).flatMap((entry) => ["--setenv", ...entry]),
    ...["setpriv", `--reuid=${user.userId}`, `--regid=${user.groupId}`],
    user.otherGroupIds.length === 0 ? "--clear-groups" : `--groups=${user.otherGroupIds.join(",")}`,
    ...["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"],
    program,
    ...programArguments,
  ];
}

/** The arguments of a mount. Users other than root may traverse the directories that are made for it. */
function mountArguments({ source, target, access }: Mount): string[] {
  return ["--perms", "0711", "--dir", dirname(target), bindOptions[access], source, target];
}

const processReportSchema = z
  .object({ "child-pid": z.int().min(2) })
  .transform((report) => report["child-pid"]);

/** Parses what was written to `reportDescriptor`: the id of the confined process, as this process sees it. */
export function parseProcessReport(text: string): number {
  return processReportSchema.parse(JSON.parse(text));
}
