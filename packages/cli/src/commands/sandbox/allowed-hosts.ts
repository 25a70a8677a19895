import { type AllowedHosts, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { printable } from "../../output/printable.ts";

export function addAllowedHosts(parent: Command, context: CliContext): void {
  defineCommand(parent, "allowed-hosts <id>", {
    summary: "Show the hosts that the secrets proxy allows a sandbox",
    examples: ["oc sandbox allowed-hosts sb-abc123", "oc sandbox allowed-hosts sb-abc123 --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const finding = Sandbox.connect(id, await invocation.connection());
    const asking = finding.then((sandbox) => sandbox.allowedHosts());
    const allowed = await invocation.progress("Asking the proxy", asking);
    invocation.print(formatAllowedHosts(allowed), allowed);
  });
}

export function formatAllowedHosts(allowed: AllowedHosts): string {
  const perSecret = Object.entries(allowed.perSecretAllowedHosts);
  return [
    `Sandbox ${printable(allowed.sandboxID)} (${storesOf(allowed)})`,
    "",
    "Egress allowlist:",
    ...(allowed.egressAllowlist.length === 0
      ? ["  (empty: all hosts are allowed)"]
      : allowed.egressAllowlist.map((host) => `  • ${printable(host)}`)),
    "",
    "Per-secret allowed hosts:",
    ...(perSecret.length === 0 ? ["  (none)"] : []),
    ...perSecret.flatMap(([name, hosts]) => [
      `  ${printable(name)}:`,
      ...hosts.map((host) => `    • ${printable(host)}`),
    ]),
  ].join("\n");
}

function storesOf({ secretStore, baseSecretStore }: AllowedHosts): string {
  if (secretStore === undefined) return "no secret store";
  const base = baseSecretStore === undefined ? "" : `, on top of ${printable(baseSecretStore)}`;
  return `secret store: ${printable(secretStore)}${base}`;
}
