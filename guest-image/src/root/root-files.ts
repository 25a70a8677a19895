import { guestLayout, guestNetwork } from "@opencomputer/protocol/wire";
import { formatSources, publicSources } from "./apt-sources.ts";
import { firefoxPolicy, trustScript } from "./authority-files.ts";
import { formatEnvironment, guestEnvironment, trustVariables } from "./guest-environment.ts";

/** A file of the guest's root that the build writes. */
export interface RootFile {
  path: string;
  content: string;
  mode: number;
}

/** Every file that the build adds to Debian's root or replaces. */
export function rootFiles(): RootFile[] {
  return [
    file("etc/opencomputer/environment", formatEnvironment(guestEnvironment())),
    file("etc/resolv.conf", `nameserver ${guestNetwork.gatewayAddress}\n`),
    file("etc/hostname", "sandbox\n"),
    file("etc/hosts", "127.0.0.1\tlocalhost\n"),
    file("etc/machine-id", ""),
    file("etc/fstab", ""),
    file("etc/apt/sources.list.d/debian.sources", formatSources(publicSources)),
    // Configuration files that the image has changed stay when their package is upgraded.
    file("etc/dpkg/dpkg.cfg.d/opencomputer", "force-confdef\nforce-confold\n"),
    file("etc/sudoers.d/opencomputer", sudoers(), 0o440),
    file("etc/profile.d/opencomputer.sh", loginProfile()),
    file(guestLayout.trustProgram.slice(1), trustScript(), 0o755),
    file("etc/opencomputer/trust.env", formatEnvironment(trustVariables())),
    file("etc/firefox/policies/policies.json", firefoxPolicy()),
  ];
}

/** Commands under sudo still trust the installation's CA. */
function sudoers(): string {
  const kept = [...Object.keys(trustVariables()), "DEBIAN_FRONTEND", "NODE_OPTIONS"].join(" ");
  return `Defaults env_keep += "${kept}"\n${guestLayout.user} ALL=(ALL:ALL) NOPASSWD: ALL\n`;
}

/** Debian's /etc/profile replaces the PATH of a login shell: a terminal keeps that of commands. */
function loginProfile(): string {
  return `if [ -n "\${OPENCOMPUTER_LOGIN_PATH-}" ]; then
  PATH=$OPENCOMPUTER_LOGIN_PATH
  export PATH
  unset OPENCOMPUTER_LOGIN_PATH
fi
`;
}

function file(path: string, content: string, mode = 0o644): RootFile {
  return { path, content, mode };
}
