// @ts-check
import process from "node:process";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

// Calls tools over HTTP with the official client, and prints their results. It runs without the
// condition `source`, under which a package that this client imports offers Node.js its TypeScript.
const [url = "", apiKey = ""] = process.argv.slice(2);
const client = new Client({ name: "test", version: "1" });
const requestInit = { headers: { Authorization: `Bearer ${apiKey}` } };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
await client.connect(/** @type {Parameters<Client["connect"]>[0]} */ (transport));

/**
 * @param {string} name
 * @param {Record<string, unknown>} input
 */
async function call(name, input) {
  const { content, isError } = await client.callTool({ name, arguments: input });
  if (!Array.isArray(content)) throw new Error(`${name} returned no content`);
  return { isError: isError === true, texts: content.map(({ text }) => String(text)) };
}

const created = await call("create_sandbox", {});
const { sandboxId } = JSON.parse(created.texts[0] ?? "");
const ran = await call("exec", { sandboxId, command: "echo from the sandbox" });
const missing = await call("kill_sandbox", { sandboxId: "sb-none" });
await call("kill_sandbox", { sandboxId });
await client.close();
process.stdout.write(JSON.stringify({ server: client.getServerVersion()?.name, ran, missing }));
