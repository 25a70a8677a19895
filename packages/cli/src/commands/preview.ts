import { type PreviewRecord, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../arguments/define-command.ts";
import { wholeNumber } from "../arguments/option-parsers.ts";
import type { CliContext } from "../cli-context.ts";
import { openInvocation } from "../invocation.ts";

const createOptionsSchema = z.object({ port: z.number(), domain: z.string().optional() });
const openOptionsSchema = z.object({ port: z.number() });

/** Adds `oc preview`: access to ports of sandboxes by URL. */
export function addPreview(program: Command, context: CliContext): void {
  const group = defineGroup(program, "preview", {
    summary: "Reach servers in sandboxes by URL",
    examples: [
      "oc preview create sb-abc123 --port 3000",
      "oc preview open sb-abc123 --port 3000",
      "oc preview rotate-auth sb-abc123",
    ],
  });
  addCreate(group, context);
  addList(group, context);
  addDelete(group, context);
  addRotateAuth(group, context);
  addOpen(group, context);
}

function addCreate(group: Command, context: CliContext): void {
  defineCommand(group, "create <sandbox-id>", {
    summary: "Create a preview of a port and print its URL",
    examples: [
      "oc preview create sb-abc123 --port 3000",
      "oc preview create sb-abc123 --port 3000 --domain app.example.com",
    ],
  })
    .requiredOption("--port <port>", "port that a server in the sandbox listens on", wholeNumber)
    .option("--domain <name>", "your own host name that resolves to the service")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, createOptionsSchema);
      const connection = await invocation.connection();
      const creating = async () =>
        (await Sandbox.connect(id, connection)).createPreviewURL(options);
      const preview = await invocation.progress("Creating the preview", creating());
      invocation.print(preview.url, preview);
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list <sandbox-id>", {
    summary: "List the previews of a sandbox",
    examples: ["oc preview list sb-abc123", "oc preview list sb-abc123 --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const listing = async () => (await Sandbox.connect(id, connection)).listPreviewURLs();
    const previews = await invocation.progress("Listing previews", listing());
    if (previews.length === 0) {
      invocation.note(`No previews. Create one with: oc preview create ${id} --port PORT`);
    }
    const rows = previews.map((preview: PreviewRecord) => [
      String(preview.port),
      preview.customHostname ?? preview.hostname,
      preview.sslStatus,
      preview.createdAt,
    ]);
    invocation.printTable(["PORT", "HOSTNAME", "SSL", "CREATED"], rows, previews);
  });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <sandbox-id> <port>", {
    summary: "Delete the preview of a port",
    examples: ["oc preview delete sb-abc123 3000"],
  }).action(async (id: string, portText: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const port = wholeNumber(portText);
    const connection = await invocation.connection();
    const deleting = async () => (await Sandbox.connect(id, connection)).deletePreviewURL(port);
    await invocation.progress("Deleting the preview", deleting());
    invocation.print(`Deleted the preview of port ${port}`, { port, status: "deleted" });
  });
}

function addRotateAuth(group: Command, context: CliContext): void {
  defineCommand(group, "rotate-auth <sandbox-id>", {
    summary:
      "Replace the preview token of a sandbox and print the new one; the old one is refused at once",
    examples: ["oc preview rotate-auth sb-abc123", "TOKEN=$(oc preview rotate-auth sb-abc123)"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const rotating = async () => (await Sandbox.connect(id, connection)).rotatePreviewAuth();
    const rotated = await invocation.progress("Rotating the preview token", rotating());
    invocation.note("New preview token, shown only once:");
    invocation.print(rotated.previewAuthToken, rotated);
  });
}

function addOpen(group: Command, context: CliContext): void {
  defineCommand(group, "open <sandbox-id>", {
    summary:
      "Print a link that opens a preview in a browser; it works once if the preview needs a token",
    examples: ["oc preview open sb-abc123 --port 3000"],
  })
    .requiredOption("--port <port>", "port of the preview", wholeNumber)
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { port } = readOptions(command, openOptionsSchema);
      const connection = await invocation.connection();
      const opening = async () => (await Sandbox.connect(id, connection)).createPreviewLink(port);
      const link = await invocation.progress("Creating the link", opening());
      if (link.expiresAt !== null) {
        invocation.note(`The link works once, until ${link.expiresAt}:`);
      }
      invocation.print(link.url, link);
    });
}
