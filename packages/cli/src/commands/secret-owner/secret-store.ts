import { SecretStore, type SecretStoreRecord } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import {
  addEgressAllowlistOption,
  addEgressAllowlistOptions,
  chosenEgressAllowlist,
  egressAllowlistSchema,
  formatEgressAllowlist,
} from "../../arguments/egress-allowlist-options.ts";
import {
  addPlacementsOption,
  addPlacementsOptions,
  chosenPlacements,
  formatPlacements,
  placementsSchema,
} from "../../arguments/placement-options.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/format.ts";
import { formatFields } from "../../output/table.ts";
import { addGetAndDelete } from "./get-and-delete.ts";

const limitsShape = { ...egressAllowlistSchema.shape, ...placementsSchema.shape };
const createOptionsSchema = z.object({ name: z.string(), ...limitsShape });
const updateOptionsSchema = z.object({ name: z.string().optional(), ...limitsShape });

/** `oc secret-store`: named sets of secrets, with the hosts that sandboxes may reach. */
export function addSecretStore(program: Command, context: CliContext): void {
  const group = defineGroup(program, "secret-store", {
    summary: "Manage secret stores",
    examples: [
      "oc secret-store create --name my-agent-secrets --egress-allowlist api.anthropic.com",
      "oc secret-store list",
    ],
  });
  addCreate(group, context);
  addList(group, context);
  addUpdate(group, context);
  addGetAndDelete(group, context, {
    noun: "secret store",
    group: "secret-store",
    argument: "<store-id>",
    get: SecretStore.get,
    delete: SecretStore.delete,
    format: formatStore,
  });
}

function addCreate(group: Command, context: CliContext): void {
  const command = defineCommand(group, "create", {
    summary: "Create a secret store and print its id",
    examples: [
      "oc secret-store create --name my-agent-secrets --egress-allowlist api.anthropic.com",
      "oc secret-store create --name two-hosts --egress-allowlist api.anthropic.com --egress-allowlist '*.openai.com'",
      "oc secret-store create --name headers-only --substitute-in header",
    ],
  }).requiredOption("--name <name>", "name, unique in the org");
  addPlacementsOption(addEgressAllowlistOption(command)).action(
    async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { name, egressAllowlist, substituteIn } = readOptions(command, createOptionsSchema);
      const creating = SecretStore.create({
        ...(await invocation.connection()),
        ...{ name, egressAllowlist, substituteIn },
      });
      const store = await invocation.progress("Creating the store", creating);
      invocation.print(store.id, store);
    },
  );
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list", {
    summary: "List secret stores",
    examples: ["oc secret-store list", "oc secret-store list --json"],
  }).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const listing = SecretStore.list(await invocation.connection());
    const stores = await invocation.progress("Listing stores", listing);
    if (stores.length === 0) {
      invocation.note("No secret stores. Create one with: oc secret-store create --name NAME");
    }
    const rows = stores.map((store) => [
      store.id,
      store.name,
      formatEgressAllowlist(store.egressAllowlist),
      formatAge(store.createdAt, Date.now()),
    ]);
    const head = ["ID", "NAME", "EGRESS", "AGE"];
    invocation.printTable(head, rows, stores);
  });
}

function addUpdate(group: Command, context: CliContext): void {
  const command = defineCommand(group, "update <store-id>", {
    summary: "Change a secret store; only what you pass is changed",
    examples: [
      "oc secret-store update <store-id> --name new-name",
      "oc secret-store update <store-id> --egress-allowlist api.anthropic.com",
      "oc secret-store update <store-id> --clear-egress-allowlist",
      "oc secret-store update <store-id> --substitute-in header,query",
    ],
  }).option("--name <name>", "new name");
  addPlacementsOptions(addEgressAllowlistOptions(command)).action(
    async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, updateOptionsSchema);
      const updating = SecretStore.update(id, {
        ...(await invocation.connection()),
        name: options.name,
        egressAllowlist: chosenEgressAllowlist(options),
        substituteIn: chosenPlacements(options),
      });
      const store = await invocation.progress("Changing the store", updating);
      invocation.print(formatStore(store), store);
    },
  );
}

function formatStore(store: SecretStoreRecord): string {
  return formatFields([
    ["ID", store.id],
    ["Name", store.name],
    ["Egress", formatEgressAllowlist(store.egressAllowlist)],
    ["Placements", storePlacements(store)],
    ["Created", store.createdAt],
    ["Updated", store.updatedAt],
  ]);
}

function storePlacements({ substituteIn }: SecretStoreRecord): string {
  return substituteIn === undefined ? "the operator's default" : formatPlacements(substituteIn);
}
