import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  defaults,
  signedUrlRequestSchema,
  signedUrlSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Signed URLs of the contract server: their signatures are random and remembered. */
export function signedUrlRoutes(sandboxes: SandboxState, folder: string): Route[] {
  const files = new Map<string, string>();

  const sign = (kind: "download" | "upload"): Route => ({
    method: "POST",
    path: `/sandboxes/:id/files/${kind}-url`,
    async handle(exchange) {
      const { sandboxID } = findSandbox(sandboxes, exchange).detail;
      const { path, expiresIn } = await exchange.body(signedUrlRequestSchema);
      const signature = randomBytes(32).toString("hex");
      files.set(`${kind} ${signature}`, join(folder, sandboxID, join("/", path)));
      const expires = Math.ceil(Date.now() / 1000) + (expiresIn ?? defaults.signedUrlSeconds);
      const query = new URLSearchParams({ path, expires: String(expires), signature });
      const target = `/api/sandboxes/${sandboxID}/files/${kind}`;
      await exchange.respond(200, signedUrlSchema, {
        url: `http://${exchange.request.headers.host}${target}?${query}`,
        expiresAt: new Date(expires * 1000).toISOString(),
      });
    },
  });

  function opened(exchange: Exchange, kind: "download" | "upload"): string {
    const file = files.get(`${kind} ${exchange.query.get("signature")}`);
    if (file === undefined) throw new WireError("invalid_signature", "invalid signature");
    return file;
  }

  return [
    sign("download"),
    sign("upload"),
    {
      method: "GET",
      path: "/sandboxes/:id/files/download",
      needsNoKey: true,
      async handle(exchange) {
        const file = opened(exchange, "download");
        exchange.response.writeHead(200, { "content-type": "application/octet-stream" });
        await pipeline(createReadStream(file), exchange.response);
      },
    },
    {
      method: "PUT",
      path: "/sandboxes/:id/files/upload",
      needsNoKey: true,
      async handle(exchange) {
        const file = opened(exchange, "upload");
        await mkdir(join(file, ".."), { recursive: true });
        await pipeline(exchange.request, createWriteStream(file));
        exchange.done();
      },
    },
  ];
}
