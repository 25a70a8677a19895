import type { SystemUser } from "../installation/system-users.ts";

/** What a process may be and see. */
export interface Confinement {
  readonly user: SystemUser;
  /** Whether processes of other users are visible to it; false when absent. */
  readonly seesProcesses?: boolean;
  /** Capabilities that it keeps, by the names of capabilities(7) without `cap_`. */
  readonly capabilities: readonly string[];
  /**
   * An empty directory, on which the process's root is mounted before it
   * becomes its root. No other process sees that mount.
   */
  readonly mountPoint: string;
  /** Files and directories, besides those of the system, that it sees at their own paths. */
  readonly readOnlyPaths: readonly string[];
  /** Directories that it may write to as far as its user owns them. */
  readonly writablePaths: readonly string[];
  /** Files that it gets a copy of, even if only root may read the original. An absent one stays absent. */
  readonly copiedFiles: readonly string[];
}

/**
 * The command that runs another one in a separate mount namespace, as its user,
 * without capabilities. Its root has the programs and settings of the system,
 * its own processes in `/proc`, and the listed paths, all where they are on the
 * host. No other file of the host exists there, not even by name. The checkout
 * or Node may therefore be below a directory that only root may enter.
 *
 * The process id stays the same, since each step replaces the one before.
 */
export function confinedCommand(command: readonly string[], confinement: Confinement): string[] {
  const { user, capabilities } = confinement;
  const kept = capabilities.map((name) => `,+${name}`).join("");
  const paths = [
    ...confinement.readOnlyPaths.flatMap((path) => ["read", path]),
    ...confinement.writablePaths.flatMap((path) => ["write", path]),
    ...confinement.copiedFiles.flatMap((path) => ["copy", path]),
  ];
  return [
    ...["unshare", "--mount", "--propagation", "private"],
    ...["/bin/sh", "-c", enterRootScript, "enter-root"],
    ...[confinement.mountPoint, `${user.userId}:${user.groupId}`],
    ...[confinement.seesProcesses === true ? "off" : "invisible", ...paths, "run"],
    ...["setpriv", `--reuid=${user.userId}`, `--regid=${user.groupId}`, "--clear-groups"],
    ...["--no-new-privs", `--bounding-set=-all${kept}`],
    ...[`--inh-caps=-all${kept}`, `--ambient-caps=-all${kept}`],
    ...command,
  ];
}

/**
 * Arguments: the mount point, the owner of copies, the `hidepid` option of proc(5), pairs of an
 * action and a path, `run`, and the command.
 */
const enterRootScript = `
set -eu
given_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
root=$1
owner=$2
hidepid=$3
shift 3

mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev opencomputer-root "$root"
mkdir -m 1777 "$root/tmp"
mkdir "$root/proc" "$root/dev" "$root/.copies" "$root/.old"
mount -t proc -o nosuid,nodev,noexec,hidepid=$hidepid proc "$root/proc"
for name in null zero random urandom; do
  : > "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"

show() { # mode path
  if [ -d "$2" ]; then
    mkdir -p "$root$2"
  elif [ ! -e "$root$2" ]; then
    mkdir -p "$root$(dirname "$2")"
    : > "$root$2"
  fi
  mount --rbind "$2" "$root$2"
  mount -o "remount,bind,$1,nosuid" "$root$2"
}
for path in /bin /sbin /lib /lib32 /lib64 /usr /etc /run/systemd/resolve /run/resolvconf /run/NetworkManager /sys/fs/cgroup; do
  if [ -L "$path" ]; then
    ln -s "$(readlink "$path")" "$root$path"
  elif [ -d "$path" ]; then
    show ro "$path"
  fi
done

copies=0
while [ "$1" != run ]; do
  case $1 in
  read) show ro "$2" ;;
  write) show rw "$2" ;;
  copy)
    if [ -f "$2" ]; then
      copies=$((copies + 1))
      cp "$2" "$root/.copies/$copies"
      chown "$owner" "$root/.copies/$copies"
      chmod 0400 "$root/.copies/$copies"
      if [ ! -e "$root$2" ]; then
        mkdir -p "$root$(dirname "$2")"
        : > "$root$2"
      fi
      mount --bind "$root/.copies/$copies" "$root$2"
    fi
    ;;
  esac
  shift 2
done
shift

cd "$root"
pivot_root . .old
cd /
umount --lazy /.old
rmdir /.old
umask 077
PATH=$given_path
export PATH
unset OLDPWD PWD
exec "$@"
`;
