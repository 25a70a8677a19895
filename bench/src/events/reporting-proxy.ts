import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import {
  type EgressLogLine,
  readEgressLogSchema,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import { reportingProxySchema, reportSchema } from "./message.ts";
import { reportedLine } from "./reported-line.ts";

// A separate process in place of an egress proxy: it has no data path, and reports as many
// refused connections as it is asked for, to a control plane that reads them as any others.
const { socketPath } = reportingProxySchema.parse(JSON.parse(process.argv[2] ?? ""));
const instanceId = randomUUID();
let lines: EgressLogLine[] = [];
let wake: () => void = () => undefined;

process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  const { from, count } = reportSchema.parse(message);
  lines.push(...Array.from({ length: count }, (_, index) => reportedLine(from + index)));
  wake();
});

const server = createServer(async (request, response) => {
  const respond = (body: unknown) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  switch (`${request.method} ${request.url}`) {
    case "GET /v1/status":
      respond({ instanceId, hasCertificateAuthority: true, sessionCount: 0 });
      return;
    case "POST /v1/egress-log/read": {
      const { acknowledged, waitSeconds } = readEgressLogSchema.parse(await json(request));
      const upTo = acknowledged?.instanceId === instanceId ? acknowledged.sequence : 0;
      lines = lines.filter(({ sequence }) => sequence > upTo);
      if (lines.length === 0) await untilReport(waitSeconds * 1000);
      respond({ instanceId, lines: lines.slice(0, serviceLimits.egressLogLinesPerReadMax) });
      return;
    }
    default:
      request.resume();
      response.writeHead(204).end();
  }
});
server.listen(socketPath, () => process.send?.({ isListening: true }));

function untilReport(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
