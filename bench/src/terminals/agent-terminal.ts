import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { agentPort } from "@opencomputer/protocol/api";
import {
  agentTerminalSchema,
  readSessionEvents,
  workerSandboxListSchema,
} from "@opencomputer/protocol/wire";
import { Client } from "undici";
import type { TypedTerminal } from "./echo-time.ts";

/** Opens a terminal directly at the agent of a sandbox, without the service. */
export async function openAgentTerminal(
  workerSocket: string,
  sandboxId: string,
): Promise<TypedTerminal> {
  const host = await readGuestAddress(workerSocket, sandboxId);
  const send = async (method: string, path: string, body?: unknown): Promise<IncomingMessage> => {
    const outgoing = startRequest(host, method, path);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await responseOf(outgoing);
  };
  const opening = { columns: 80, rows: 24, shell: "cat", workingDirectory: null };
  const opened = await readText(await send("POST", "/v1/terminals", opening));
  const { id } = agentTerminalSchema.parse(JSON.parse(opened));
  const output = await send("GET", `/v1/terminals/output?id=${id}`);
  const events = readSessionEvents(output);
  const input = startRequest(host, "POST", `/v1/terminals/input?id=${id}`);
  // The agent responds at the end of the input, which is the end of the connection.
  input.on("error", () => undefined);
  input.flushHeaders();
  return {
    async type(key) {
      input.write(key);
    },
    async next() {
      for (;;) {
        const { done, value } = await events.next();
        if (done === true) throw new Error("The terminal of the agent ended");
        if (value.type === "stdout") return value.bytes;
      }
    },
    async end() {
      input.destroy();
      output.destroy();
      await readText(await send("POST", `/v1/terminals/hang-up?id=${id}`));
    },
  };
}

async function readGuestAddress(workerSocket: string, sandboxId: string): Promise<string> {
  const client = new Client("http://worker", { socketPath: workerSocket });
  try {
    const { body } = await client.request({ method: "GET", path: "/v1/sandboxes" });
    const sandboxes = workerSandboxListSchema.parse(await body.json());
    const found = sandboxes.find((sandbox) => sandbox.sandboxId === sandboxId);
    if (typeof found?.sourceAddress === "string") return found.sourceAddress;
    throw new Error(`The worker runs no sandbox ${sandboxId}`);
  } finally {
    await client.close();
  }
}

function startRequest(host: string, method: string, path: string): ClientRequest {
  return request({ host, port: agentPort, method, path, agent: false });
}

async function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [response]: IncomingMessage[] = await once(outgoing, "response");
  if (response?.statusCode === 200) return response;
  throw new Error(`The agent returned ${response?.statusCode} for ${outgoing.path}`);
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of response) text += String(part);
  return text;
}
