import { guestLayout, guestNetwork } from "@opencomputer/protocol";
import { formatSources, publicSources } from "./apt-sources.ts";
import { formatEnvironment, guestEnvironment, trustVariables } from "./guest-environment.ts";

/** Debian's own authorities, as they were when the image was built. */
export const debianBundle = "/etc/opencomputer/debian-authorities.crt";

/** A file of the guest's root that the image writes itself. */
export interface RootFile {
  path: string;
  content: string;
  mode: number;
}

/** Every file that makes Debian's root a sandbox. */
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
    file("usr/local/sbin/opencomputer-trust", trustScript(), 0o755),
  ];
}

/** Commands under sudo go on trusting the installation's CA. */
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

/**
 * Makes the guest trust the authority that the host put into place. It leaves
 * what update-ca-certificates(8) would, in three processes instead of a
 * thousand: that takes most of a minute where the processor is emulated.
 */
function trustScript(): string {
  const { trustBundle, installationAuthority } = guestLayout;
  return `#!/bin/sh
set -eu
hash=$(openssl x509 -in ${installationAuthority} -noout -subject_hash)
ln -sf ${installationAuthority} /etc/ssl/certs/opencomputer.pem
ln -sf opencomputer.pem "/etc/ssl/certs/$hash.0"
cat ${debianBundle} ${installationAuthority} > ${trustBundle}.new
mv ${trustBundle}.new ${trustBundle}
`;
}

function file(path: string, content: string, mode = 0o644): RootFile {
  return { path, content, mode };
}
