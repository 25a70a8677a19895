import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { collect } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";
import { openInvocation } from "../../invocation.ts";
import { collectPlacements } from "../placements.ts";
import { findRecommendation } from "./find-recommendation.ts";
import { readSecret } from "./read-secret.ts";
import { findSecretOwner } from "./secret-owner.ts";

const setOptionsSchema = z.object({
  fromStdin: z.boolean().default(false),
  allowedHosts: z.array(z.string()).optional(),
  allHosts: z.boolean().default(false),
  in: z.array(z.string()).optional(),
});
type SetOptions = z.output<typeof setOptionsSchema>;

export function addSetSecret(group: Command, context: CliContext): void {
  defineCommand(group, "set <id> <name> [value]", {
    summary: "Set a secret, or replace its value",
    examples: [
      "cat ~/.anthropic_key | oc secret set <id> ANTHROPIC_API_KEY --from-stdin",
      "oc secret set <id> ANTHROPIC_API_KEY --from-stdin --allowed-hosts api.anthropic.com --in header:x-api-key < key",
      "oc secret set <id> GEMINI_API_KEY --from-stdin --in header,query < key",
      "oc secret set <id> CLIENT_SECRET --from-stdin --in body:client_secret --in header:authorization < key",
      "oc secret set <id> ANTHROPIC_API_KEY sk-ant-...     # seen by other processes and your shell's history",
    ],
  })
    .option(
      "--from-stdin",
      "take the whole of stdin as the value, less one newline at its end; on a terminal, ask",
    )
    .option(
      "--allowed-hosts <host>",
      "a host that the value may be sent to (repeatable); left out, earlier limits stay",
      collect,
    )
    .option("--all-hosts", "lift the limits on hosts")
    .option(
      "--in <placements>",
      "where in a request the token becomes the value: header, header:NAME, body, body:FIELD, query or path (comma-separated, repeatable); left out, earlier placements stay",
      collectPlacements,
    )
    .action(
      async (
        id: string,
        name: string,
        given: string | undefined,
        _options: unknown,
        command: Command,
      ) => {
        const invocation = openInvocation(context, command);
        const options = readOptions(command, setOptionsSchema);
        refuseContradictions(given, options);
        if (given !== undefined) {
          invocation.warn(
            "a value on the command line is seen by other processes and kept in your shell's history; prefer --from-stdin",
          );
        }
        const connection = await invocation.connection();
        const value = given ?? (await readSecret(context));
        const chosen = {
          allowedHosts: options.allHosts ? [] : options.allowedHosts,
          substituteIn: options.in,
        };
        const set = async () => {
          const owner = await findSecretOwner(id, connection);
          const { warning } = await owner.setSecret(id, name, value, { ...connection, ...chosen });
          const recommendation = invocation.json
            ? undefined
            : await findRecommendation(owner, id, name, chosen, connection);
          return { warning, recommendation };
        };
        const { warning, recommendation } = await invocation.progress("Setting the secret", set());
        invocation.print(`Set ${name}`, { name, status: "set" });
        if (warning !== undefined) invocation.warn(warning);
        if (recommendation !== undefined) invocation.note(recommendation);
      },
    );
}

function refuseContradictions(given: string | undefined, options: SetOptions): void {
  if (options.fromStdin === (given !== undefined)) {
    throw new CliError(
      "invalid_usage",
      "Expected the value either as an argument or with --from-stdin",
    );
  }
  if (options.allHosts && options.allowedHosts !== undefined) {
    throw new CliError("invalid_usage", "Expected --all-hosts or --allowed-hosts, not both");
  }
}
