import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { nodeOptions } from "@opencomputer/protocol/wire";
import { z } from "zod";

/** The product's bound for a stream of any length. */
const growthBytesMax = 32 * 1024 * 1024;

const reportSchema = z.object({ port: z.int().optional(), peak: z.number().optional() });

/** Starts the data path towards an upstream on loopback, as a separate process so that its memory can be measured. */
export async function startHttpMemoryProcess(
  upstreamPort: number,
  /** What both sides have agreed on by ALPN. */
  ...protocol: ["h2"] | []
) {
  const child = fork(
    fileURLToPath(new URL("http-memory-process.ts", import.meta.url)),
    [String(upstreamPort), ...protocol],
    {
      execArgv: [
        "--expose-gc",
        ...nodeOptions["egress-proxy"].commandLine,
        ...nodeOptions["egress-proxy"].v8Flags,
        "--conditions=source",
      ],
    },
  );
  const report = async () => reportSchema.parse((await once(child, "message"))[0]);
  const { port } = await report();
  assert.ok(port !== undefined);
  const takePeak = async () => {
    child.send("peak");
    return (await report()).peak ?? Number.NaN;
  };
  let base = 0;
  return {
    /** Where it serves guests. */
    port,
    async startMeasuring() {
      await takePeak();
      base = await takePeak();
    },
    async assertBounded() {
      const growth = (await takePeak()) - base;
      assert.ok(growth <= growthBytesMax, `the process grew by ${growth} bytes`);
    },
    async end() {
      child.kill();
      await once(child, "exit");
    },
  };
}
