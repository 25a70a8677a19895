import { Argument, type Command } from "commander";
import { z } from "zod";
import {
  defineCommand,
  defineGroup,
  globalOptionsSchema,
  readOptions,
} from "../arguments/define-command.ts";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-context.ts";
import { type ConfigKey, configKeys, readConfig, writeConfig } from "../config/config-file.ts";
import { resolveSettings } from "../config/connection-settings.ts";
import { openInvocation } from "../invocation.ts";
import { formatFields } from "../output/table.ts";
import { readSecret } from "./secret/read-secret.ts";

const setOptionsSchema = z.object({ fromStdin: z.boolean().default(false) });

/** `oc config`: the settings of this user, in a file of mode 0600. */
export function addConfig(program: Command, context: CliContext): void {
  const group = defineGroup(program, "config", {
    summary: "Save the API key and URL in ~/.oc/config.json",
    examples: ["oc config set api-url http://127.0.0.1:8080", "oc config show"],
  });
  addSet(group, context);
  addShow(group, context);
}

function addSet(group: Command, context: CliContext): void {
  defineCommand(group, "set", {
    summary: "Set api-key or api-url",
    examples: [
      "oc config set api-url http://127.0.0.1:8080",
      "oc config set api-key --from-stdin < key-file",
    ],
  })
    .addArgument(new Argument("<key>", "what to set").choices([...configKeys]))
    .argument("[value]", "its value")
    .option("--from-stdin", "read the value from stdin")
    .action(
      async (key: ConfigKey, given: string | undefined, _options: unknown, command: Command) => {
        const invocation = openInvocation(context, command);
        const { fromStdin } = readOptions(command, setOptionsSchema);
        if (fromStdin === (given !== undefined)) {
          throw new CliError(
            "invalid_usage",
            "Expected the value either as an argument or with --from-stdin",
          );
        }
        if (given !== undefined && key === "api-key") {
          invocation.warn(
            "a key on the command line is visible to other processes and saved in your shell's history: use --from-stdin instead",
          );
        }
        const value = given ?? (await readSecret(context));
        const config = await readConfig(context.configPath);
        await writeConfig(context.configPath, { ...config, [key]: value });
        invocation.print(`Set ${key} in ${context.configPath}`, { key, status: "set" });
      },
    );
}

function addShow(group: Command, context: CliContext): void {
  defineCommand(group, "show", {
    summary: "Show the current settings and their sources",
    examples: ["oc config show", "oc config show --json"],
  }).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const flags = readOptions(command, globalOptionsSchema);
    const { apiKey, apiUrl } = await resolveSettings(context, flags);
    const key = apiKey.value === undefined ? undefined : maskKey(apiKey.value);
    invocation.print(
      formatFields([
        ["api-key", key === undefined ? "not set" : `${key}  (${apiKey.source})`],
        ["api-url", `${apiUrl.value}  (${apiUrl.source})`],
      ]),
      {
        "api-key": { value: key ?? null, source: apiKey.source },
        "api-url": { value: apiUrl.value, source: apiUrl.source },
      },
    );
  });
}

/** The ends of a key: enough to identify it, too little to use it. */
function maskKey(key: string): string {
  return key.length < 20 ? "…" : `${key.slice(0, 4)}…${key.slice(-4)}`;
}
