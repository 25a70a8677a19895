import { randomBytes, randomUUID } from "node:crypto";
import {
  createPreviewRequestSchema,
  defaults,
  type PreviewRecord,
  previewLinkSchema,
  previewRecordSchema,
  rotatedPreviewAuthSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { previewHostname } from "@opencomputer/protocol/wire";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Previews of the contract server's sandboxes, without anything behind them. */
export function previewRoutes(sandboxes: SandboxState): Route[] {
  const previews = new Map<string, PreviewRecord>();
  const orgId = randomUUID();
  const nameOf = (sandboxId: string, port: string | number) => `${sandboxId} ${port}`;

  function findPreview(exchange: Exchange): PreviewRecord {
    const { sandboxID } = findSandbox(sandboxes, exchange).detail;
    const preview = previews.get(nameOf(sandboxID, exchange.parameter("port")));
    if (preview !== undefined) return preview;
    throw new WireError("preview_not_found", "preview not found");
  }

  return [
    {
      method: "POST",
      path: "/sandboxes/:id/preview",
      async handle(exchange) {
        const { sandboxID: sandboxId } = findSandbox(sandboxes, exchange).detail;
        const { port, domain, authConfig } = await exchange.body(createPreviewRequestSchema);
        const present = previews.get(nameOf(sandboxId, port));
        const hostname = previewHostname({ sandboxId, port }, defaults.sandboxDomain);
        const preview = present ?? {
          id: randomUUID(),
          ...{ sandboxId, orgId, hostname, port },
          ...(domain ? { customHostname: domain } : {}),
          sslStatus: "none",
          authConfig: authConfig ?? {},
          url: `http://${hostname}`,
          createdAt: new Date().toISOString(),
        };
        previews.set(nameOf(sandboxId, port), preview);
        await exchange.respond(present === undefined ? 201 : 200, previewRecordSchema, preview);
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/preview",
      async handle(exchange) {
        const { sandboxID } = findSandbox(sandboxes, exchange).detail;
        const own = [...previews.values()].filter(({ sandboxId }) => sandboxId === sandboxID);
        await exchange.respond(200, previewRecordSchema.array(), own);
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/preview/rotate",
      async handle(exchange) {
        findSandbox(sandboxes, exchange);
        const previewAuthToken = randomBytes(32).toString("base64url");
        await exchange.respond(200, rotatedPreviewAuthSchema, {
          previewAuthToken,
          scheme: "bearer",
        });
      },
    },
    {
      method: "DELETE",
      path: "/sandboxes/:id/preview/:port",
      handle(exchange) {
        const { sandboxId, port } = findPreview(exchange);
        previews.delete(nameOf(sandboxId, port));
        exchange.done();
      },
    },
    {
      method: "POST",
      path: "/sandboxes/:id/preview/:port/link",
      async handle(exchange) {
        const { url } = findPreview(exchange);
        await exchange.respond(200, previewLinkSchema, { url, expiresAt: null });
      },
    },
  ];
}
