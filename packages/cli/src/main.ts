import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { runCli } from "./run-cli.ts";

const manifest: unknown = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

// A reader that exits early, such as `head`, is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// Without a top-level await, so that the program can be bundled as CommonJS, which starts sooner.
void runCli(process.argv.slice(2), {
  environment: process.env,
  configPath: join(process.env["HOME"] || homedir(), ".oc", "config.json"),
  version: z.object({ version: z.string() }).parse(manifest).version,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
}).then((exitCode) => {
  process.exitCode = exitCode;
});
