// The data path alone in a process, for tests that measure its memory: guests
// connect to the port that it reports, and it connects to the port of its first
// argument. On an IPC message it reports its peak of memory since the last one.

import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { serveConnection } from "../exchange/serve-connection.ts";
import { createBodyBudgets } from "../exchange/state/body-budgets.ts";
import { createExchangeDependencies } from "../exchange/state/exchange-dependencies.ts";
import { admitted } from "./admissions.ts";
import { policyOf, secretOf } from "./http-policy.ts";

const upstreamPort = Number(process.argv[2]);
const policy = policyOf([secretOf("KEY", "a", "sk-Q7v2mX9Lp4ZtW8cKdR3")]);
const exchange = createExchangeDependencies({
  isAuditTrailWritable: () => true,
  findPolicy: () => policy,
  writeAudit: () => undefined,
  bodyBudgets: createBodyBudgets({ bytesPerSandboxMax: 16 * 1024 * 1024 }),
  // Without TLS, what the handshake would have agreed on.
  dial: async () =>
    Object.assign(net.connect(upstreamPort, "127.0.0.1"), { alpnProtocol: process.argv[3] }),
});
const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
  void serveConnection(exchange, {
    socket,
    scheme: "https",
    port: 443,
    sourceAddress: policy.sourceAddress,
    sandboxId: policy.sandboxId,
    serverName: "api.example.com",
    protocol: process.argv[3] === "h2" ? "h2" : "http/1.1",
    admission: admitted,
  });
});

/** Returns the peak in bytes and resets it to the present use (proc(5), `clear_refs`). */
function takePeak(): number {
  const kibibytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  globalThis.gc?.();
  writeFileSync("/proc/self/clear_refs", "5");
  return kibibytes * 1024;
}

process.on("message", () => process.send?.({ peak: takePeak() }));
process.on("disconnect", () => process.exit(0));
listener.listen(0, "127.0.0.1", () => {
  const address = listener.address();
  if (address !== null && typeof address !== "string") process.send?.({ port: address.port });
});
