import { randomBytes, randomUUID } from "node:crypto";
import {
  type ApiKeyEntry,
  apiKeyEntrySchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { Route } from "./route.ts";

/** Keys of the contract server, which itself accepts its first key only. */
export function apiKeyRoutes(firstKey: string): Route[] {
  const entries = new Map<string, ApiKeyEntry>();
  const add = (name: string, key: string) => {
    const entry = {
      id: randomUUID() as string,
      name,
      prefix: key.slice(0, 12),
      createdAt: new Date().toISOString(),
    };
    entries.set(entry.id, entry);
    return entry;
  };
  add("initial", firstKey);

  return [
    {
      method: "POST",
      path: "/keys",
      async handle(exchange) {
        const { name } = await exchange.body(createApiKeyRequestSchema);
        const key = `osb_${randomBytes(32).toString("hex")}`;
        await exchange.respond(201, createdApiKeySchema, { ...add(name, key), key });
      },
    },
    {
      method: "GET",
      path: "/keys",
      handle: (exchange) => exchange.respond(200, apiKeyEntrySchema.array(), [...entries.values()]),
    },
    {
      method: "DELETE",
      path: "/keys/:id",
      handle(exchange) {
        const id = exchange.parameter("id");
        if (!entries.has(id)) throw new WireError("not_found", `API key not found: ${id}`);
        if (entries.size === 1) throw new WireError("last_api_key", "This is the only key");
        entries.delete(id);
        exchange.done();
      },
    },
  ];
}
