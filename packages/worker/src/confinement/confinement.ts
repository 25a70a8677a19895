import { dirname } from "node:path";
import { z } from "zod";

/** A file or directory of the host that a confined program finds. */
export interface Mount {
  readonly source: string;
  /** Where the program finds it; most find theirs where it lies on the host. */
  readonly target: string;
  /** `write` gives what the permissions of the file allow; `device` also lets it be used as one. */
  readonly access: "read" | "write" | "device";
}

export interface ProgramUser {
  readonly userId: number;
  readonly groupId: number;
  readonly otherGroupIds: readonly number[];
}

/** What a confined program has of the host. All else is not there for it. */
export interface Confinement {
  readonly mounts: readonly Mount[];
  /** A path inside. */
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Who it is. It has no capability and can never have one. */
  readonly user: ProgramUser;
  /** The network namespace that it is in; null for one of its own without any interface. */
  readonly networkNamespace: string | null;
  /** Whether the end of the process that ran the command ends it. */
  readonly endsWithCaller: boolean;
  /** Where its process id is written, see {@link parseProcessReport}; null for nowhere. */
  readonly reportDescriptor: number | null;
}

/** As the directories of a merged `/usr` are linked. */
const libraryArguments = [
  ...["--perms", "0711", "--dir", "/usr"],
  ...["--ro-bind", "/usr/lib", "/usr/lib"],
  ...["--ro-bind-try", "/usr/lib64", "/usr/lib64"],
  ...["--symlink", "usr/lib", "/lib"],
  ...["--symlink", "usr/lib64", "/lib64"],
];
const capabilitySetter = "/usr/bin/setpriv";
/** The programs lie on the read-only file system of the confinement. */
const programPath = "/usr/bin";

const bindOptions = { read: "--ro-bind", write: "--bind", device: "--dev-bind" } as const;

/** A file or directory that is found where it lies. */
export function inPlace(path: string, access: Mount["access"]): Mount {
  return { source: path, target: path, access };
}

/**
 * A command that runs another one, from `/usr/bin`, with nothing of the host
 * but the libraries and the mounts, without core dumps and ways to new
 * privileges, in mount, process, IPC and UTS namespaces of its own. The
 * program is process 1 there: all that it starts ends with it.
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

/** A directory that is made for a mount is traversed by users that are not root. */
function mountArguments({ source, target, access }: Mount): string[] {
  return ["--perms", "0711", "--dir", dirname(target), bindOptions[access], source, target];
}

const processReportSchema = z
  .object({ "child-pid": z.int().min(2) })
  .transform((report) => report["child-pid"]);

/** The id of the confined process, as this process sees it, of what was written to `reportDescriptor`. */
export function parseProcessReport(text: string): number {
  return processReportSchema.parse(JSON.parse(text));
}
