import { createInterface } from "node:readline";
import { errorStatuses, recommendPlacement, wellKnownServices } from "@opencomputer/protocol/api";
import { type Interception, startContractServer } from "@opencomputer/sdk/testing";
import { z } from "zod";
import { recordFields } from "./record-schemas.ts";

// The contract server for tests in another language: it takes one JSON object a line and writes
// one for each. It ends with its standard input.

const taskSchema = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("intercept"),
    /** The next request whose line holds this text. */
    part: z.string().default(""),
    with: z.discriminatedUnion("kind", [
      z.object({
        kind: z.literal("response"),
        status: z.int(),
        headers: z.record(z.string(), z.string()).default({}),
        body: z.string().default(""),
        /** Breaks the connection behind the body instead of ending the response. */
        broken: z.boolean().default(false),
      }),
      z.object({ kind: z.literal("silence") }),
      z.object({ kind: z.literal("break") }),
    ]),
  }),
  z.object({ do: z.literal("lose response"), part: z.string() }),
  z.object({ do: z.literal("requests") }),
  z.object({ do: z.literal("forget requests") }),
  z.object({ do: z.literal("aborted") }),
  z.object({ do: z.literal("drop sockets") }),
  z.object({ do: z.literal("drop event streams") }),
  z.object({ do: z.literal("recommend"), name: z.string(), hosts: z.array(z.string()) }),
]);
type Task = z.infer<typeof taskSchema>;

const server = await startContractServer();
/** Requests that met silence and were given up by their client. */
let aborted = 0;

function interception(how: Extract<Task, { do: "intercept" }>["with"]): Interception {
  return (request, response) => {
    request.resume();
    if (how.kind === "break") request.socket.destroy();
    if (how.kind === "silence") response.once("close", () => (aborted += 1));
    if (how.kind !== "response") return;
    response.writeHead(how.status, how.headers);
    response.write(how.body, () => (how.broken ? response.destroy() : response.end()));
  };
}

function perform(task: Task): unknown {
  if (task.do === "intercept") server.interceptNext(interception(task.with), task.part);
  if (task.do === "lose response") server.loseNextResponse(task.part);
  if (task.do === "forget requests") server.requests.length = 0;
  if (task.do === "drop sockets") server.dropSockets();
  if (task.do === "drop event streams") server.events.dropStreams();
  if (task.do === "requests") return server.requests;
  if (task.do === "aborted") return aborted;
  if (task.do === "recommend") return recommendPlacement(task.name, task.hosts) ?? null;
  return null;
}

const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ url: server.url, apiKey: server.apiKey, errorStatuses, wellKnownServices, recordFields });
for await (const line of createInterface({ input: process.stdin })) {
  say(perform(taskSchema.parse(JSON.parse(line))));
}
await server.close();
