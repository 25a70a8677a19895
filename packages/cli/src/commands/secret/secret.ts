import type { Command } from "commander";
import { defineCommand, defineGroup } from "../../arguments/define-command.ts";
import { formatEgressAllowlist } from "../../arguments/egress-allowlist-options.ts";
import { formatPlacements } from "../../arguments/placement-options.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge, printable } from "../../output/format.ts";
import { addRevokeSecret } from "./revoke-secret.ts";
import { findSecretOwner } from "./secret-owner.ts";
import { addSetSecret } from "./set-secret.ts";

/** `oc secret`: the secrets of a project or a secret store, by its id. */
export function addSecret(program: Command, context: CliContext): void {
  const group = defineGroup(program, "secret", {
    summary: "Manage the secrets of a project or a secret store",
    examples: [
      "echo sk-ant-... | oc secret set <id> ANTHROPIC_API_KEY --from-stdin",
      "oc secret list <id>",
      "oc secret revoke <id> ANTHROPIC_API_KEY",
    ],
  });
  addSetSecret(group, context);
  addList(group, context);
  addRevokeSecret(group, context);
  addDelete(group, context);
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list <id>", {
    summary: "List secrets: a project's by name, a store's with hosts, placements and last use",
    examples: ["oc secret list <id>", "oc secret list <project-id> --details --json"],
  })
    .option("--details", "show hosts, placements and last use of a project's secrets, too")
    .action(async (id: string, { details }: { details?: boolean }, command: Command) => {
      const invocation = openInvocation(context, command);
      const connection = await invocation.connection();
      const listing = findSecretOwner(id, connection).then(async (owner) => ({
        owner,
        secrets: await owner.listSecretEntries(id, connection),
      }));
      const { owner, secrets } = await invocation.progress("Listing secrets", listing);
      if (secrets.length === 0)
        invocation.note(`No secrets. Set one with: oc secret set ${id} NAME`);
      if (owner.kind === "project" && details !== true) {
        const names = secrets.map(({ name }) => name).sort();
        invocation.print(names.map(printable).join("\n"), names);
        return;
      }
      const now = Date.now();
      const rows = secrets
        .toSorted((one, other) => (one.name < other.name ? -1 : 1))
        .map(({ name, kind, allowedHosts, substituteIn, revokedAt, lastUsedAt }) => [
          kind === "value" ? name : `${name} (${kind})`,
          formatEgressAllowlist(allowedHosts),
          revokedAt === undefined ? formatPlacements(substituteIn) : "none (revoked)",
          lastUsedAt === undefined ? "never" : `${formatAge(lastUsedAt, now)} ago`,
        ]);
      invocation.printTable(["NAME", "HOSTS", "PLACEMENTS", "LAST USED"], rows, secrets);
    });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <id> <name>", {
    summary: "Delete a secret of a project or a store; running sandboxes are not affected",
    examples: ["oc secret delete <id> ANTHROPIC_API_KEY"],
  }).action(async (id: string, name: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const deleting = findSecretOwner(id, connection).then((owner) =>
      owner.deleteSecret(id, name, connection),
    );
    await invocation.progress("Deleting the secret", deleting);
    invocation.print(`Deleted ${name}`, { name, status: "deleted" });
  });
}
