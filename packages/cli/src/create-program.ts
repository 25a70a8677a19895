import { Command } from "commander";
import { addGlobalOptions, defineGroup, helpOption } from "./arguments/define-command.ts";
import type { CliContext } from "./cli-context.ts";
import { addCheckpoint } from "./commands/checkpoint.ts";
import { addCompletion } from "./commands/completion/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addExec } from "./commands/exec/exec.ts";
import { addKey } from "./commands/key.ts";
import { addPatch } from "./commands/patch.ts";
import { addProject } from "./commands/project.ts";
import { addAllowedHosts } from "./commands/sandbox/allowed-hosts.ts";
import { addCreate } from "./commands/sandbox/create.ts";
import { addGet } from "./commands/sandbox/get.ts";
import { addHibernate } from "./commands/sandbox/hibernate.ts";
import { addKill } from "./commands/sandbox/kill.ts";
import { addList } from "./commands/sandbox/list.ts";
import { addSetTimeout } from "./commands/sandbox/set-timeout.ts";
import { addWake } from "./commands/sandbox/wake.ts";
import { addSecret } from "./commands/secret/secret.ts";
import { addSecretStore } from "./commands/secret-store.ts";
import { addSnapshot } from "./commands/snapshot/snapshot.ts";

export interface ProgramOutcome {
  /** Exit code of a command that was run in a sandbox. */
  onExitCode(exitCode: number): void;
  /** What commander has to say of a malformed command line. */
  onUsageText(text: string): void;
}

/** The whole command line: what it takes, and what each command does. */
export function createProgram(context: CliContext, outcome: ProgramOutcome): Command {
  const program = new Command("oc")
    .description("Sandboxes that use secrets they never see")
    .version(context.version, "-V, --version", "print the version")
    .addHelpOption(helpOption())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: outcome.onUsageText,
    })
    .enablePositionalOptions()
    .addHelpText(
      "after",
      [
        "\nExamples:",
        "  $ oc secret-store create --name my-agent-secrets --egress-allowlist api.anthropic.com",
        "  $ oc secret set <store-id> ANTHROPIC_API_KEY --from-stdin < key-file",
        "  $ oc create --secret-store my-agent-secrets",
        "  $ oc exec <sandbox-id> -- echo '$ANTHROPIC_API_KEY'",
        "\nExit codes: 0 done, 1 local error, 3 refused (4xx), 4 conflict (409), 5 service failed (5xx);",
        "`oc exec` ends with the command's own.",
      ].join("\n"),
    );
  addCreate(program, context);
  addList(program, "ls", context);
  addGet(program, context);
  addExec(program, context, outcome.onExitCode);
  addKill(program, context);

  const sandbox = defineGroup(program, "sandbox", {
    summary: "Manage sandboxes",
    examples: ["oc sandbox create", "oc sandbox list", "oc sandbox allowed-hosts sb-abc123"],
  });
  addCreate(sandbox, context);
  addList(sandbox, "list", context);
  addGet(sandbox, context);
  addExec(sandbox, context, outcome.onExitCode);
  addKill(sandbox, context);
  addHibernate(sandbox, context);
  addWake(sandbox, context);
  addSetTimeout(sandbox, context);
  addAllowedHosts(sandbox, context);

  addCheckpoint(program, context);
  addPatch(program, context);
  addSnapshot(program, context);
  addProject(program, context);
  addSecretStore(program, context);
  addSecret(program, context);
  addKey(program, context);
  addConfig(program, context);
  addCompletion(program, context);
  addGlobalOptions(program);
  return program;
}
