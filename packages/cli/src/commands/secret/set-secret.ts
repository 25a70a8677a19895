import type { AwsCredentials } from "@opencomputer/sdk";
import { type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { collect } from "../../arguments/option-parsers.ts";
import { collectPlacements } from "../../arguments/placement-options.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { awsCredentialsOf, parseAwsCredentials } from "./aws-credentials.ts";
import { findRecommendation } from "./find-recommendation.ts";
import { readSecret } from "./read-secret.ts";
import { findSecretOwner } from "./secret-owner.ts";

const setOptionsSchema = z.object({
  kind: z.enum(["value", "aws"]).default("value"),
  fromStdin: z.boolean().default(false),
  fromEnv: z.boolean().default(false),
  allowedHosts: z.array(z.string()).optional(),
  allHosts: z.boolean().default(false),
  in: z.array(z.string()).optional(),
});
type SetOptions = z.output<typeof setOptionsSchema>;

export function addSetSecret(group: Command, context: CliContext): void {
  defineCommand(group, "set <id> <name> [value]", {
    summary: "Set a secret of a project or a store, by its id, or replace the value",
    examples: [
      "cat ~/.anthropic_key | oc secret set <id> ANTHROPIC_API_KEY --from-stdin",
      "oc secret set <id> ANTHROPIC_API_KEY --from-stdin --allowed-hosts api.anthropic.com --in header:x-api-key < key",
      "oc secret set <id> GEMINI_API_KEY --from-stdin --in header,query < key",
      "oc secret set <id> CLIENT_SECRET --from-stdin --in body:client_secret --in header:authorization < key",
      "aws configure export-credentials | oc secret set <id> AWS --kind aws --from-stdin",
      "oc secret set <id> AWS --kind aws --from-env --allowed-hosts s3.eu-central-1.amazonaws.com",
      "oc secret set <id> ANTHROPIC_API_KEY sk-ant-...     # visible to other processes and in your shell's history",
    ],
  })
    .addOption(
      new Option(
        "--kind <kind>",
        "value for one text, aws for AWS credentials, for which <name> is the prefix of their variables: AWS sets AWS_ACCESS_KEY_ID and the others",
      ).choices(["value", "aws"]),
    )
    .option(
      "--from-stdin",
      "read the value from stdin, without a newline at its end; prompt on a terminal. AWS credentials are JSON, as the AWS CLI prints them",
    )
    .option(
      "--from-env",
      "take AWS credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
    )
    .option(
      "--allowed-hosts <host>",
      "host that the value may be sent to (repeatable; default: unchanged)",
      collect,
    )
    .option("--all-hosts", "allow every host that the sandbox may reach")
    .option(
      "--in <placements>",
      "where in a request the token is replaced by the value: header, header:NAME, body, body:FIELD, query or path (comma-separated, repeatable; default: unchanged)",
      collectPlacements,
    )
    .exitOverride((error) => {
      if (error.code !== "commander.unknownOption") throw error;
      // Commander quotes the word, which may be a value, such as a key in PEM.
      throw new CliError(
        "invalid_usage",
        "Unknown option. Pass a value that starts with a dash after --, or with --from-stdin",
      );
    })
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
            "a value on the command line is visible to other processes and saved in your shell's history: use --from-stdin instead",
          );
        }
        const connection = await invocation.connection();
        const value = given ?? (await readValue(context, options));
        const chosen = {
          allowedHosts: options.allHosts ? [] : options.allowedHosts,
          substituteIn: options.in,
        };
        const set = async () => {
          const owner = await findSecretOwner(id, connection);
          const { warning } = await owner.setSecret(id, name, value, { ...connection, ...chosen });
          const recommendation =
            invocation.json || options.kind === "aws"
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

async function readValue(
  context: CliContext,
  { kind, fromEnv }: SetOptions,
): Promise<string | AwsCredentials> {
  if (kind === "value") return readSecret(context);
  return fromEnv
    ? awsCredentialsOf(context.environment)
    : parseAwsCredentials(await readSecret(context));
}

function refuseContradictions(given: string | undefined, options: SetOptions): void {
  if (options.kind === "aws" && (given !== undefined || options.fromStdin === options.fromEnv)) {
    throw new CliError(
      "invalid_usage",
      "Expected the AWS credentials either with --from-env or as JSON with --from-stdin",
    );
  }
  if (options.kind === "value" && options.fromEnv) {
    throw new CliError("invalid_usage", "--from-env requires --kind aws");
  }
  if (options.kind === "value" && options.fromStdin === (given !== undefined)) {
    throw new CliError(
      "invalid_usage",
      "Expected the value either as an argument or with --from-stdin",
    );
  }
  if (options.allHosts && options.allowedHosts !== undefined) {
    throw new CliError("invalid_usage", "Expected --all-hosts or --allowed-hosts, not both");
  }
}
