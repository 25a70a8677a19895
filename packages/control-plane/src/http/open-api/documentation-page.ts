import { z } from "zod";

const contentSchema = z.record(z.string(), z.object({ schema: z.unknown() }));
const operationSchema = z.object({
  summary: z.string().default(""),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.string(),
        required: z.boolean().default(false),
        schema: z.unknown(),
      }),
    )
    .default([]),
  requestBody: z.object({ content: contentSchema }).optional(),
  responses: z.record(
    z.string(),
    z.object({ description: z.string().default(""), content: contentSchema.default({}) }),
  ),
  security: z.array(z.record(z.string(), z.unknown())).default([]),
});
/** The part of an OpenAPI document that the page shows. */
const documentSchema = z.object({
  info: z.object({ title: z.string(), description: z.string().default("") }),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});
type Operation = z.infer<typeof operationSchema>;

const credentials: Record<string, string> = {
  apiKey: "X-API-Key",
  sandboxToken: "the sandbox's token as Authorization: Bearer",
  signature: "the signature in the URL",
};

const style = `
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h2 { font-size: 1.1rem; margin: 0 } code, pre { font-family: ui-monospace, monospace; font-size: .875rem }
summary { cursor: pointer; padding: .5rem 0 } details { border-top: 1px solid #8886 }
pre { background: #8881; overflow-x: auto; padding: .75rem } .method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
`;

/** One page of HTML that needs nothing else: no script, no font, no other host. */
export function renderDocumentationPage(openApiDocument: unknown): string {
  const { info, paths } = documentSchema.parse(openApiDocument);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(info.title)} API</title>
<style>${style}</style>
<h1>${escapeHtml(info.title)} API</h1>
<p>${escapeHtml(info.description)}</p>
<p>For programs: <a href="/api/openapi.json">openapi.json</a>. Errors are JSON with a text and a code.</p>
${operations.join("\n")}
</html>
`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const { summary, parameters, requestBody, responses, security } = operation;
  const access = security.flatMap((scheme) => Object.keys(scheme));
  const parts = [
    `<p>Opened by: ${escapeHtml(access.map((name) => credentials[name] ?? name).join(", or ") || "anyone")}</p>`,
    ...parameters.map(
      (parameter) =>
        `<p><code>${escapeHtml(parameter.name)}</code> in the ${escapeHtml(parameter.in)}${parameter.required ? "" : ", optional"}</p>${renderJson(parameter.schema)}`,
    ),
    ...(requestBody === undefined ? [] : renderContent("Body", requestBody.content)),
    ...Object.entries(responses)
      .filter(([status]) => status !== "default")
      .flatMap(([status, response]) => [
        `<p>Response ${escapeHtml(status)}</p>`,
        ...renderContent("", response.content),
      ]),
  ];
  return `<details>
<summary><span class="method">${escapeHtml(method.toUpperCase())}</span> <code>${escapeHtml(path)}</code> ${escapeHtml(summary)}</summary>
${parts.join("\n")}
</details>`;
}

function renderContent(title: string, content: z.infer<typeof contentSchema>): string[] {
  return Object.entries(content).map(
    ([type, { schema }]) => `<p>${title} ${escapeHtml(type)}</p>${renderJson(schema)}`,
  );
}

function renderJson(value: unknown): string {
  return `<pre>${escapeHtml(JSON.stringify(value, null, 2) ?? "")}</pre>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
