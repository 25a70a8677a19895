import { errorStatuses } from "@opencomputer/protocol/api";
import { createBareApiServer } from "./bare-api-server.ts";

// Prints the OpenAPI document and the error codes, for the documentation site.
const server = createBareApiServer();
await server.ready();
const { body } = await server.inject({ method: "GET", url: "/api/openapi.json" });
process.stdout.write(JSON.stringify({ openApi: JSON.parse(body), errors: errorStatuses }));
await server.close();
