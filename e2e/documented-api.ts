import type { FetchInit } from "@opencomputer/sdk";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";

const contentSchema = z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) }));
const operationSchema = z.object({
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(["path", "query", "header"]),
        required: z.boolean().default(false),
        schema: z.record(z.string(), z.unknown()),
      }),
    )
    .default([]),
  requestBody: z.object({ content: contentSchema }).optional(),
  responses: z.record(z.string(), z.object({ content: contentSchema.default({}) })),
});
const documentSchema = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});

/** One request of a client with its response, whose body is null unless it is JSON. */
export interface Exchange {
  url: string;
  init: FetchInit;
  status: number;
  /** Content type of the response. */
  type: string | undefined;
  response: unknown;
}

interface Operation extends z.infer<typeof operationSchema> {
  /** `GET /api/sandboxes/{id}`. */
  name: string;
  method: string;
  path: string;
}

/** An API as its own OpenAPI document describes it. */
export interface DocumentedApi {
  operationNames: string[];
  /** @throws when the document has no such operation. */
  operationOf(exchange: Exchange): Operation;
  /** How an exchange differs from the document; empty when it does not. */
  faultsOf(exchange: Exchange): string[];
}

/** Reads the document of a running service. */
export async function readDocumentedApi(apiUrl: string): Promise<DocumentedApi> {
  const response = await fetch(`${apiUrl}/api/openapi.json`);
  const { paths } = documentSchema.parse(await response.json());
  const operations = Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([key, operation]) => {
        const method = key.toUpperCase();
        return { ...operation, method, path, name: `${method} ${path}` };
      }),
    )
    .toSorted((one, other) => parametersIn(one.path) - parametersIn(other.path));
  // The patterns check what the formats would, and queries carry strings.
  const ajv = new Ajv2020({ validateFormats: false, coerceTypes: false, allErrors: true });

  function operationOf({ url, init }: Exchange): Operation {
    const { pathname } = new URL(url);
    const found = operations.find(
      ({ method, path }) => method === init.method && patternOf(path).test(pathname),
    );
    if (found === undefined) throw new Error(`The document has no ${init.method} ${pathname}`);
    return found;
  }

  function faults(what: string, schema: Record<string, unknown>, value: unknown): string[] {
    if (ajv.validate(schema, value)) return [];
    return (ajv.errors ?? []).map(({ instancePath, message, params }) =>
      [what + instancePath, message, JSON.stringify(params)].join(" "),
    );
  }

  function queryFaults({ url }: Exchange, { parameters }: Operation): string[] {
    const query = new URL(url).searchParams;
    const documented = parameters.filter((parameter) => parameter.in === "query");
    const names = documented.map(({ name }) => name);
    return [
      ...[...query.keys()]
        .filter((name) => !names.includes(name))
        .map((name) => `query ${name} is not documented`),
      ...documented.flatMap(({ name, required, schema }) => {
        if (query.has(name)) return faults(`query ${name}`, schema, query.get(name));
        return required ? [`query ${name} is missing`] : [];
      }),
    ];
  }

  function bodyFaults({ init }: Exchange, { requestBody }: Operation): string[] {
    if (init.body === undefined) return requestBody === undefined ? [] : ["the body is missing"];
    const type = init.headers["content-type"] ?? "";
    const content = requestBody?.content[type];
    if (content === undefined) return [`a body of ${type} is not documented`];
    if (typeof init.body !== "string") return [];
    // A field that the document does not know is one that the API ignores.
    const closed = { ...content.schema, unevaluatedProperties: false };
    return faults("body", closed, JSON.parse(init.body));
  }

  function responseFaults(
    { status, type, response }: Exchange,
    { responses }: Operation,
  ): string[] {
    const documented = responses[String(status)];
    if (documented === undefined) return [`response ${status} is not documented`];
    const documentedTypes = Object.keys(documented.content);
    if (type === undefined) {
      return documentedTypes.length === 0 ? [] : [`response ${status} has no body`];
    }
    const found = documented.content[type.split(";")[0] ?? ""];
    if (found === undefined) return [`response ${status} of ${type} is not documented`];
    return type.startsWith("application/json") ? faults("response", found.schema, response) : [];
  }

  return {
    operationNames: operations.map(({ name }) => name),
    operationOf,
    faultsOf(exchange) {
      const operation = operationOf(exchange);
      return [
        ...queryFaults(exchange, operation),
        ...bodyFaults(exchange, operation),
        ...responseFaults(exchange, operation),
      ].map((fault) => `${operation.name}: ${fault}`);
    },
  };
}

function parametersIn(path: string): number {
  return path.split("{").length;
}

function patternOf(path: string): RegExp {
  const segments = path.split("/").map((segment) => segment.replace(/^\{\w+\}$/, "[^/]+"));
  return new RegExp(`^${segments.join("/").replaceAll(".", "\\.")}$`);
}
