import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";

/** Adds a command, or a group of them, to the program. */
export type AddCommand = (
  program: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
) => void;

/** A command of the first level, whose code is loaded when it is used. */
export interface CommandLoader {
  /** Its name and aliases. */
  names: readonly string[];
  load(): Promise<AddCommand>;
}

/** The commands of the first level, in the order in which `--help` shows them. */
export const commandLoaders: readonly CommandLoader[] = [
  { names: ["create"], load: async () => (await import("./sandbox/create.ts")).addCreate },
  {
    names: ["ls"],
    async load() {
      const { addList } = await import("./sandbox/list.ts");
      return (program, context) => addList(program, "ls", context);
    },
  },
  { names: ["get"], load: async () => (await import("./sandbox/get.ts")).addGet },
  { names: ["exec"], load: async () => (await import("./exec/exec.ts")).addExec },
  { names: ["shell"], load: async () => (await import("./shell/shell.ts")).addShell },
  { names: ["kill", "delete"], load: async () => (await import("./sandbox/kill.ts")).addKill },
  { names: ["sandbox"], load: async () => (await import("./sandbox/sandbox.ts")).addSandbox },
  { names: ["tag"], load: async () => (await import("./tag.ts")).addTag },
  {
    names: ["checkpoint", "cp"],
    load: async () => (await import("./checkpoint/checkpoint.ts")).addCheckpoint,
  },
  { names: ["preview"], load: async () => (await import("./preview.ts")).addPreview },
  { names: ["patch"], load: async () => (await import("./checkpoint/patch.ts")).addPatch },
  { names: ["snapshot"], load: async () => (await import("./snapshot/snapshot.ts")).addSnapshot },
  { names: ["project"], load: async () => (await import("./secret-owner/project.ts")).addProject },
  {
    names: ["secret-store"],
    load: async () => (await import("./secret-owner/secret-store.ts")).addSecretStore,
  },
  { names: ["secret"], load: async () => (await import("./secret/secret.ts")).addSecret },
  { names: ["egress"], load: async () => (await import("./egress/egress.ts")).addEgress },
  { names: ["explain"], load: async () => (await import("./egress/explain.ts")).addExplain },
  { names: ["usage"], load: async () => (await import("./usage/usage.ts")).addUsage },
  { names: ["events"], load: async () => (await import("./events.ts")).addEvents },
  { names: ["webhook"], load: async () => (await import("./webhook.ts")).addWebhook },
  { names: ["key"], load: async () => (await import("./key.ts")).addKey },
  { names: ["mcp"], load: async () => (await import("./mcp/mcp.ts")).addMcp },
  { names: ["config"], load: async () => (await import("./config.ts")).addConfig },
  {
    names: ["completion"],
    load: async () => (await import("./completion/completion.ts")).addCompletion,
  },
];

/**
 * Chooses the loaders that a command line needs: that of the command in its
 * first word, or all of them if the first word is not a command, such as `--help` or a
 * mistyped name, or is `completion`, which describes every command.
 */
export function chooseLoaders(words: readonly string[]): readonly CommandLoader[] {
  const [first = ""] = words;
  const chosen = commandLoaders.filter(({ names }) => names.includes(first));
  return chosen.length === 0 || first === "completion" ? commandLoaders : chosen;
}
