import { guestLayout, guestNetwork } from "@opencomputer/protocol";
import { formatSources, publicSources } from "./apt-sources.ts";
import { formatEnvironment, guestEnvironment, trustVariables } from "./guest-environment.ts";

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
    file("etc/sudoers.d/opencomputer", sudoers(), 0o440),
  ];
}

/** Commands under sudo go on trusting the installation's CA. */
function sudoers(): string {
  const kept = [...Object.keys(trustVariables()), "DEBIAN_FRONTEND"].join(" ");
  return `Defaults env_keep += "${kept}"\n${guestLayout.user} ALL=(ALL:ALL) NOPASSWD: ALL\n`;
}

function file(path: string, content: string, mode = 0o644): RootFile {
  return { path, content, mode };
}
