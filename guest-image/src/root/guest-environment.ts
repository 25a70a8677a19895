import { guestLayout, trustEnvironment } from "@opencomputer/protocol/wire";

/**
 * The image's own variables: the lowest layer of every command's
 * environment. Tools neither ask nor check for newer versions of themselves,
 * and what a user installs goes below the home directory.
 */
export function guestEnvironment(): Record<string, string> {
  const local = `${guestLayout.home}/.local`;
  return {
    PATH: `${local}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: guestLayout.home,
    USER: guestLayout.user,
    LOGNAME: guestLayout.user,
    SHELL: "/bin/bash",
    LANG: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
    NPM_CONFIG_PREFIX: local,
    NPM_CONFIG_UPDATE_NOTIFIER: "false",
    NODE_OPTIONS: `--require=${guestLayout.renewNode}`,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    ...trustVariables(),
  };
}

/** The variables that make every runtime trust the installation's CA. */
export function trustVariables(): Record<string, string> {
  return trustEnvironment({
    bundle: guestLayout.trustBundle,
    authority: guestLayout.installationAuthority,
  });
}

/** Formats variables as lines of NAME=VALUE, which the agent reads. */
export function formatEnvironment(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (/[\n\0]/.test(value)) {
        throw new RangeError(`${name} of the image's environment must be one line`);
      }
      return `${name}=${value}\n`;
    })
    .join("");
}
