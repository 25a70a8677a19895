import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { directoryListingSchema, filePathQuerySchema, WireError } from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Files of the contract server's sandboxes: they lie on this machine, below `folder`. */
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
        await exchange.respond(200, directoryListingSchema, await Promise.all(entries));
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/files/mkdir",
      async handle(exchange) {
        const { guest, host } = pathOf(exchange);
        await mkdir(host, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
          const code = cause.code === "EEXIST" ? "file_exists" : "not_a_directory";
          throw new WireError(code, `A part of ${guest} is a file`, { cause });
        });
        exchange.done();
      },
    },
  ];
}

async function statOrRefuse(guest: string, host: string) {
  try {
    return await stat(host);
  } catch (cause) {
    const isBelowFile = cause instanceof Error && "code" in cause && cause.code === "ENOTDIR";
    const code = isBelowFile ? "not_a_directory" : "file_not_found";
    throw new WireError(code, `There is no file ${guest}`, { cause });
  }
}
