import {
  type ConnectionOptions,
  OpenComputerError,
  type RevokeSecretResponse,
  SecretStore,
} from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { findSecretOwner } from "./secret-owner.ts";

/** Adds `oc secret revoke`, which withdraws a value from everything that has it. */
export function addRevokeSecret(group: Command, context: CliContext): void {
  defineCommand(group, "revoke <id> <name>", {
    summary:
      "Remove the value of a secret of a project or a store from running and hibernated sandboxes and checkpoints",
    examples: [
      "oc secret revoke <id> ANTHROPIC_API_KEY",
      "oc secret revoke <id> ANTHROPIC_API_KEY --json",
    ],
  }).action(async (id: string, name: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const revoked = await invocation.progress(
      "Revoking the secret",
      revokeSecret(id, name, connection),
    );
    invocation.print(`Revoked ${name}`, revoked);
    invocation.note(
      `Sandboxes keep its token, which works again after: oc secret set ${id} ${name}`,
    );
  });
}

/** Sandboxes keep copies of a store that was deleted, so its secrets can be revoked too. */
async function revokeSecret(
  id: string,
  name: string,
  connection: ConnectionOptions,
): Promise<RevokeSecretResponse> {
  let unknown: OpenComputerError | undefined;
  try {
    const owner = await findSecretOwner(id, connection);
    return await owner.revokeSecret(id, name, connection);
  } catch (error) {
    if (!(error instanceof OpenComputerError) || error.status !== 404) throw error;
    unknown = error;
  }
  try {
    return await SecretStore.revokeSecret(id, name, connection);
  } catch (error) {
    if (error instanceof OpenComputerError && error.status === 404) throw unknown;
    throw error;
  }
}
