import { spawn } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import {
  type CommandResult,
  commandResultSchema,
  defaults,
  directoryListingSchema,
  filePathQuerySchema,
  type RunCommandRequest,
  runCommandRequestSchema,
  WireError,
} from "@opencomputer/protocol";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/**
 * Commands and files, done on this machine: commands run in a real shell with
 * nothing but the sandbox's variables, files lie below `folder`.
 */
export function guestRoutes(sandboxes: SandboxState, folder: string): Route[] {
  function pathOf(exchange: Exchange): { guest: string; host: string } {
    findSandbox(sandboxes, exchange);
    const { path } = parseOrRefuse(filePathQuerySchema, {
      path: exchange.query.get("path") ?? undefined,
    });
    return { guest: path, host: join(folder, exchange.parameter("id"), join("/", path)) };
  }

  return [
    {
      method: "POST",
      path: "/sandboxes/:id/exec/run",
      async handle(exchange) {
        const { environment } = findSandbox(sandboxes, exchange);
        const request = await exchange.body(runCommandRequestSchema);
        const result = await runLocally(request, environment, folder);
        await exchange.answer(200, commandResultSchema, result);
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/files",
      async handle(exchange) {
        const { guest, host } = pathOf(exchange);
        const found = await statOrRefuse(guest, host);
        if (found.isDirectory()) throw new WireError("not_a_file", `${guest} is a directory`);
        exchange.response.writeHead(200, { "content-type": "application/octet-stream" });
        await pipeline(createReadStream(host), exchange.response);
      },
    },
    {
      method: "PUT",
      path: "/sandboxes/:id/files",
      async handle(exchange) {
        const { host } = pathOf(exchange);
        await mkdir(join(host, ".."), { recursive: true });
        await pipeline(exchange.request, createWriteStream(host));
        exchange.done();
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/:id/files",
      async handle(exchange) {
        const { guest, host } = pathOf(exchange);
        await statOrRefuse(guest, host);
        await rm(host, { recursive: true });
        exchange.done();
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/files/list",
      async handle(exchange) {
        const { guest, host } = pathOf(exchange);
        await statOrRefuse(guest, host);
        const names = (await readdir(host)).sort();
        const entries = names.map(async (name) => {
          const found = await stat(join(host, name));
          return { name, path: join(guest, name), isDir: found.isDirectory(), size: found.size };
        });
        await exchange.answer(200, directoryListingSchema, await Promise.all(entries));
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/files/mkdir",
      async handle(exchange) {
        await mkdir(pathOf(exchange).host, { recursive: true });
        exchange.done();
      },
    },
  ];
}

async function statOrRefuse(guest: string, host: string) {
  try {
    return await stat(host);
  } catch (cause) {
    throw new WireError("file_not_found", `There is no file ${guest}`, { cause });
  }
}

async function runLocally(
  request: RunCommandRequest,
  environment: Record<string, string>,
  folder: string,
): Promise<CommandResult> {
  const [program, programArguments] = request.args
    ? [request.cmd, request.args]
    : ["/bin/bash", ["-c", request.cmd]];
  const child = spawn(program, programArguments, {
    cwd: request.cwd ?? folder,
    env: { PATH: process.env["PATH"], ...environment, ...request.envs },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(
    () => child.kill("SIGKILL"),
    (request.timeout || defaults.commandTimeoutSeconds) * 1000,
  );
  const ended = new Promise<{ code: number | null }>((resolve, reject) => {
    child.once("error", () =>
      reject(new WireError("command_not_found", `There is no command ${request.cmd}`)),
    );
    child.once("close", (code) => resolve({ code }));
  });
  const [{ code }, stdout, stderr] = await Promise.all([
    ended,
    text(child.stdout),
    text(child.stderr),
  ]).finally(() => clearTimeout(timer));
  return code === null
    ? { exitCode: -1, stdout, stderr: `${stderr}\nProcess timed out` }
    : { exitCode: code, stdout, stderr };
}
