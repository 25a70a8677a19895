import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { eventText } from "./event-text.ts";
import { originSettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

/** 200 events per second, as a fast model sends. */
const paceMilliseconds = 5;

// Responds to `/<count>` with that many events at a fixed rate, each with its time of sending.
runPeer(originSettingsSchema, (settings) =>
  createServer(settings, (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    sendEvents(response, Number((request.url ?? "").slice(1)));
  }),
);

function sendEvents(response: ServerResponse, count: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    response.write(eventText(process.hrtime.bigint()));
    sent += 1;
    if (sent === count) response.end();
  }, paceMilliseconds);
  response.once("finish", () => clearInterval(timer));
  response.once("close", () => clearInterval(timer));
}
