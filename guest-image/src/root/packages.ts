/** The packages that every sandbox has in addition to Debian's minimal base. */
export const packages: readonly string[] = [
  "bind9-dnsutils",
  "build-essential",
  "bzip2",
  "ca-certificates",
  "curl",
  "e2fsprogs",
  "file",
  "git",
  "iproute2",
  "iputils-ping",
  "jq",
  "kmod",
  "less",
  "libnss3-tools",
  "nano",
  "netcat-openbsd",
  "openssh-client",
  "openssl",
  "procps",
  "psmisc",
  "python-is-python3",
  "python3",
  "python3-dev",
  "python3-pip",
  "python3-venv",
  "rsync",
  "sudo",
  "tzdata",
  "unzip",
  "vim-tiny",
  "wget",
  "xz-utils",
  "zip",
];

/**
 * Paths that dpkg leaves out, at build and in sandboxes: documentation and
 * translations for size, and Python's marker that it is managed by Debian,
 * because `pip install` should work in a sandbox without options.
 */
export const excludedPaths: readonly string[] = [
  "/usr/share/doc/*",
  "/usr/share/info/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/lintian/*",
  "/usr/lib/python3.*/EXTERNALLY-MANAGED",
];
