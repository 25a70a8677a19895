import {
  sandboxTagsSchema,
  tagChangesSchema,
  tagKeysSchema,
  tagsSchema,
} from "@opencomputer/protocol/api";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

/** Tags of the contract server's sandboxes. */
export function tagRoutes(sandboxes: SandboxState): Route[] {
  const changed = new Map<string, string>();
  async function change(exchange: Exchange, tags: Record<string, string>): Promise<void> {
    const { detail } = findSandbox(sandboxes, exchange);
    detail.tags = tags;
    const tagsLastUpdatedAt = new Date().toISOString();
    changed.set(detail.sandboxID, tagsLastUpdatedAt);
    await exchange.respond(200, sandboxTagsSchema, { tags, tagsLastUpdatedAt });
  }

  return [
    {
      method: "PUT",
      path: "/sandboxes/:id/tags",
      async handle(exchange) {
        findSandbox(sandboxes, exchange);
        await change(exchange, await exchange.body(tagsSchema));
      },
    },
    {
      method: "PATCH",
      path: "/sandboxes/:id/tags",
      async handle(exchange) {
        findSandbox(sandboxes, exchange);
        const changes = await exchange.body(tagChangesSchema);
        const tags = { ...findSandbox(sandboxes, exchange).detail.tags };
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) delete tags[key];
          else tags[key] = value;
        }
        await change(exchange, tags);
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
