import { sandboxTagsSchema, tagKeysSchema, tagsSchema } from "@opencomputer/protocol/api";
import type { Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Tags of the contract server's sandboxes. */
export function tagRoutes(sandboxes: SandboxState): Route[] {
  const changed = new Map<string, string>();
  return [
    {
      method: "PUT",
      path: "/sandboxes/:id/tags",
      async handle(exchange) {
        const { detail } = findSandbox(sandboxes, exchange);
        detail.tags = await exchange.body(tagsSchema);
        const now = new Date().toISOString();
        changed.set(detail.sandboxID, now);
        await exchange.respond(200, sandboxTagsSchema, {
          tags: detail.tags,
          tagsLastUpdatedAt: now,
        });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/tags",
      async handle(exchange) {
        const { tags, sandboxID } = findSandbox(sandboxes, exchange).detail;
        await exchange.respond(200, sandboxTagsSchema, {
          tags,
          tagsLastUpdatedAt: changed.get(sandboxID) ?? null,
        });
      },
    },
    {
      method: "GET",
      path: "/tags",
      async handle(exchange) {
        const values = new Map<string, string[]>();
        for (const { detail } of sandboxes.values()) {
          if (detail.status !== "running") continue;
          for (const [key, value] of Object.entries(detail.tags)) {
            values.set(key, [...(values.get(key) ?? []), value]);
          }
        }
        const keys = [...values].map(([key, found]) => ({
          key,
          sandboxCount: found.length,
          valueCount: new Set(found).size,
        }));
        await exchange.respond(200, tagKeysSchema, { keys });
      },
    },
  ];
}
