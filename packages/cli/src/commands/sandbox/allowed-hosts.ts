import { type AllowedHosts, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { printable } from "../../output/format.ts";

export function addAllowedHosts(parent: Command, context: CliContext): void {
  defineCommand(parent, "allowed-hosts <sandbox-id>", {
    summary: "Show the hosts that a sandbox may reach, and where its secrets may be sent",
    examples: ["oc sandbox allowed-hosts sb-abc123", "oc sandbox allowed-hosts sb-abc123 --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const finding = Sandbox.connect(id, await invocation.connection());
    const getting = finding.then((sandbox) => sandbox.allowedHosts());
    const allowed = await invocation.progress("Getting the allowed hosts", getting);
    invocation.print(formatAllowedHosts(allowed), allowed);
  });
}

export function formatAllowedHosts(allowed: AllowedHosts): string {
  const perSecret = Object.entries(allowed.perSecretAllowedHosts);
  const forAllHosts = allowed.secretsForAllHosts ?? [];
  const isLimited = allowed.egressAllowlist.length > 0;
  return [
    `Sandbox ${printable(allowed.sandboxID)} (${originOf(allowed)})`,
    "",
    "Egress allowlist:",
    ...(isLimited
      ? allowed.egressAllowlist.map((host) => `  • ${printable(host)}`)
      : ["  (empty: all hosts are allowed)"]),
    "",
    "Per-secret allowed hosts:",
    ...(perSecret.length + forAllHosts.length === 0 ? ["  (none)"] : []),
    ...perSecret.flatMap(([name, hosts]) => [
      `  ${printable(name)}:`,
      ...hosts.map((host) => `    • ${printable(host)}`),
    ]),
    ...forAllHosts.flatMap((name) => [
      `  ${printable(name)}:`,
      isLimited ? "    (every host of the egress allowlist)" : "    (all hosts)",
    ]),
  ].join("\n");
}

function originOf({ project, secretStore, baseSecretStore }: AllowedHosts): string {
  const parts = project === undefined ? [] : [`project: ${printable(project)}`];
  if (secretStore !== undefined) {
    // A secret store on top of a project has the project as its base.
    const base = baseSecretStore === project ? undefined : baseSecretStore;
    const onTop = base === undefined ? "" : `, on top of ${printable(base)}`;
    parts.push(`secret store: ${printable(secretStore)}${onTop}`);
  }
  return parts.length === 0 ? "no secret store" : parts.join(", ");
}
