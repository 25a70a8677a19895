import { spawn } from "node:child_process";
import { findFreePort } from "@opencomputer/harness";
import { untilReady } from "./server-process.ts";

/** Debian's package of redis-cli has the program of the server, too, under the name of another one. */
const program = "/usr/bin/redis-check-rdb";

/** A Redis server without files. */
export interface RedisServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startRedisServer(): Promise<RedisServer> {
  const port = await findFreePort();
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"];
  const child = spawn(program, settings, {
    argv0: "redis-server",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const missing = "redis-server ended before it was ready: is redis-tools installed?";
  const close = await untilReady(child, child.stdout, "Ready to accept connections", missing);
  return { port, close };
}
