import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CrowdSettings } from "../peers/message.ts";

/** Starts a process with many connections. Resolves to the function that ends it. */
export async function startCrowd(settings: CrowdSettings): Promise<() => Promise<void>> {
  const child = fork(fileURLToPath(new URL("../peers/crowd.js", import.meta.url)));
  child.send(settings);
  await once(child, "message");
  return async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
}
