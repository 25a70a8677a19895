import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const program = `
import { createLogger } from ${JSON.stringify(new URL("./logging.ts", import.meta.url).href)};
const logger = createLogger();
setTimeout(() => {
  for (let line = 0; line < 50; line += 1) logger.warn({ line }, "nobody reads this");
  process.exit(0);
}, 200);`;

test("createLogger: a process whose log nobody reads any more ends all the same", {
  timeout: 30_000,
}, async (context) => {
  const child = spawn(
    process.execPath,
    ["--conditions=source", "--input-type=module", "--eval", program],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  context.signal.addEventListener("abort", () => child.kill("SIGKILL"));
  child.stdout.destroy();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
