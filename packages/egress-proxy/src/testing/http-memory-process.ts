// The data path alone in a process, for tests that measure its memory: guests
// connect to the port that it reports, and it connects to the port of its first
// argument. Asked by IPC it reports the most memory that it has held since the
// last time.
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { createBodyBudgets } from "../exchange/body-budgets.ts";
import { createServeConnection } from "../exchange/serve-connection.ts";
import { policyOf, secretOf } from "./http-policy.ts";

const upstreamPort = Number(process.argv[2]);
const policy = policyOf([secretOf("KEY", "a", "sk-Q7v2mX9Lp4ZtW8cKdR3")]);
const serve = createServeConnection({
  isAuditTrailWritable: () => true,
  findPolicy: () => policy,
  writeAudit: () => undefined,
  bodyBudgets: createBodyBudgets({ bytesPerSandboxMax: 16 * 1024 * 1024 }),
  dial: async () => net.connect(upstreamPort, "127.0.0.1"),
});
const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
  void serve({
    socket,
    scheme: "https",
    sourceAddress: policy.sourceAddress,
    serverName: "api.example.com",
  });
});

/** Bytes; the peak is set back to what is held now (proc(5), `clear_refs`). */
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
