import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { z } from "zod";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What opens the route instead of an API key. */
    access?: "public" | "signed-url";
    /** Which of both has the content of a file as its body. */
    fileContent?: "request" | "response";
    /** What a response with `Accept: text/event-stream` consists of. */
    eventStream?: string;
  }
}

const binaryContent = {
  content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
};
const eventStreamContent = { "text/event-stream": { schema: { type: "string" } } };
const errorResponse = {
  description: "What was refused or went wrong, as a text and a code",
  content: { "application/json": { schema: z.toJSONSchema(errorBodySchema, { io: "output" }) } },
};

const responsesSchema = z.record(z.string(), z.unknown()).default({});

/**
 * How the OpenAPI 3.1 document comes from the routes: with the very schemas
 * that validate their requests and responses.
 */
export const openApiOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "OpenComputer",
      version: "1",
      description: "Virtual machines for code you do not trust, which use secrets they never see.",
    },
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        sandboxToken: {
          type: "http",
          scheme: "bearer",
          description: "The token of the sandbox in the path",
        },
        signature: { type: "apiKey", in: "query", name: "signature" },
      },
    },
    security: [{ apiKey: [] }],
  },
  transform(route) {
    const { schema, url } = jsonSchemaTransform(route);
    const { config } = route.route;
    return {
      url,
      schema: {
        ...schema,
        ...(config?.fileContent === "request" ? { body: binaryContent } : {}),
        security: securityOf(config ?? {}),
        response: {
          ...(config?.fileContent === "response"
            ? { 200: { description: "The file's content", ...binaryContent } }
            : responsesSchema.parse(schema.response)),
          ...(config?.eventStream === undefined
            ? {}
            : { 200: eventStreamResponse(config.eventStream, schema.response) }),
          ...(config?.access === "public" ? {} : { default: errorResponse }),
        },
      },
    };
  },
};

/** The response of a stream, beside the JSON where the route has both with status 200. */
function eventStreamResponse(events: string, responses: unknown) {
  const json = responsesSchema.parse(responses)["200"];
  return {
    description: `With \`Accept: text/event-stream\`: ${events}`,
    content: {
      ...(json === undefined ? {} : { "application/json": { schema: json } }),
      ...eventStreamContent,
    },
  };
}

function securityOf(config: {
  access?: "public" | "signed-url";
  acceptsSandboxToken?: boolean;
}): { [scheme: string]: string[] }[] {
  if (config.access === "public") return [];
  if (config.access === "signed-url") return [{ signature: [] }];
  if (config.acceptsSandboxToken === true) return [{ apiKey: [] }, { sandboxToken: [] }];
  return [{ apiKey: [] }];
}
