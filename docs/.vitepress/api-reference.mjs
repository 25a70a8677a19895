// @ts-check
import { schemaFields, schemaText } from "./schema-text.mjs";

/** @typedef {import("./schema-text.mjs").Schema} Schema */
/**
 * @typedef {object} Operation
 * @property {string} summary
 * @property {{ name: string, in: string, required: boolean, schema: Schema }[]} [parameters]
 * @property {{ content: Record<string, { schema: Schema }> }} [requestBody]
 * @property {Record<string, { description: string, content?: Record<string, { schema: Schema }> }>} responses
 * @property {Record<string, unknown>[]} security
 */
/**
 * @typedef {object} ApiDescription
 * @property {{ paths: Record<string, Record<string, Operation>> }} openApi
 * @property {Record<string, number>} errors HTTP status of each error code
 */

/** The first group whose pattern matches a path has the operation. */
const groups = [
  {
    file: "sandboxes",
    title: "Sandboxes",
    pattern: /^\/api\/sandboxes(\/\{id\}(\/(timeout|allowed-hosts|hibernate|wake))?)?$/,
  },
  { file: "commands", title: "Commands", pattern: /^\/api\/sandboxes\/\{id\}\/exec/ },
  { file: "terminals", title: "Terminals", pattern: /^\/api\/sandboxes\/\{id\}\/pty/ },
  { file: "files", title: "Files", pattern: /^\/api\/sandboxes\/\{id\}\/files/ },
  { file: "checkpoints", title: "Checkpoints and patches", pattern: /checkpoint/ },
  { file: "previews", title: "Previews", pattern: /\/preview(\/|$)/ },
  {
    file: "egress-log",
    title: "Egress log",
    pattern: /^\/api\/sandboxes\/\{id\}\/egress(\/|$)/,
  },
  { file: "usage", title: "Usage", pattern: /\/usage(\/|$)/ },
  { file: "tags", title: "Tags", pattern: /\/tags$/ },
  {
    file: "scaling",
    title: "Scaling and reboot",
    pattern: /\/(scale|limits|autoscale|scaling-lock|reboot|power-cycle)$/,
  },
  { file: "secret-stores", title: "Secret stores", pattern: /^\/api\/secret-stores/ },
  { file: "projects", title: "Projects", pattern: /^\/api\/projects/ },
  { file: "snapshots", title: "Snapshots", pattern: /^\/api\/snapshots/ },
  { file: "events", title: "Events", pattern: /^\/api\/events$/ },
  { file: "webhooks", title: "Webhooks", pattern: /^\/api\/webhooks/ },
  { file: "api-keys", title: "API keys", pattern: /^\/api\/keys/ },
  { file: "service", title: "Service", pattern: /\/(health|docs|openapi\.json)$/ },
];

/** @type {Record<string, string>} */
const credentials = {
  apiKey: "API key",
  sandboxToken: "the sandbox's token as `Authorization: Bearer`",
  signature: "the signature in the URL",
};

/**
 * The pages of the reference of the HTTP API, as Markdown by file name.
 *
 * @param {ApiDescription} description
 */
export function renderApiReference({ openApi, errors }) {
  const operations = Object.entries(openApi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      group: groupOf(path),
      operation,
    })),
  );
  const pages = groups.map((group) => {
    const own = operations.filter((one) => one.group === group);
    const sections = own.map(({ name, operation }) => renderOperation(name, operation));
    return /** @type {[string, string]} */ ([
      `${group.file}.md`,
      [`# ${group.title}`, ...sections].join("\n\n"),
    ]);
  });
  return new Map([["README.md", renderOverview(errors)], ...pages]);
}

/** @param {string} path */
function groupOf(path) {
  const group = groups.find(({ pattern }) => pattern.test(path));
  if (group === undefined) {
    throw new Error(`No page of the API reference has ${path}: add a group for it`);
  }
  return group;
}

/** @param {Record<string, number>} errors */
function renderOverview(errors) {
  const byStatus = groupByStatus(errors);
  return [
    "# HTTP API",
    "Generated from the routes of this version. A running service has the same at `/api/docs`, and as OpenAPI 3.1 at\n`/api/openapi.json`.",
    "Requests carry the API key in the header `X-API-Key`. Bodies are JSON unless an operation states otherwise.",
    table(
      ["resource"],
      groups.map(({ file, title }) => [`[${title}](${file}.md)`]),
    ),
    "## Errors",
    "A response with a status of 400 or more has a JSON body with `error`, a text for people, `code`, where a\ncommand or a setting helps `remediation`, and for some codes `details`.",
    table(
      ["status", "codes"],
      [...byStatus].map(([status, codes]) => [
        String(status),
        codes.map((code) => `\`${code}\``).join(", "),
      ]),
    ),
  ].join("\n\n");
}

/** @param {Record<string, number>} errors */
function groupByStatus(errors) {
  /** @type {Map<number, string[]>} */
  const codes = new Map();
  for (const [code, status] of Object.entries(errors)) {
    codes.set(status, [...(codes.get(status) ?? []), code]);
  }
  return codes;
}

/**
 * @param {string} name
 * @param {Operation} operation
 */
function renderOperation(name, { summary, parameters = [], requestBody, responses, security }) {
  const access = security.flatMap(Object.keys).map((scheme) => credentials[scheme] ?? scheme);
  const parts = [
    `## ${summary}`,
    `\`${name}\``,
    `Authentication: ${access.join(", or ") || "none"}.`,
  ];
  if (parameters.length > 0) {
    const rows = parameters.map((one) => [
      `\`${one.name}\``,
      one.in,
      one.required ? "yes" : "",
      schemaText(one.schema),
    ]);
    parts.push(table(["parameter", "in", "required", "value"], rows));
  }
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    parts.push(`Body, \`${type}\`: ${schemaText(schema)}`, fieldsTable(schema, true));
  }
  for (const [status, { description, content = {} }] of Object.entries(responses)) {
    if (status === "default") continue;
    const note = description === "Default Response" ? "" : ` ${description}.`;
    const types = Object.entries(content);
    if (types.length === 0) parts.push(`Response ${status}, without a body.${note}`);
    for (const [type, { schema }] of types) {
      parts.push(
        `Response ${status}, \`${type}\`: ${schemaText(schema)}.${note}`,
        fieldsTable(schema, false),
      );
    }
  }
  return parts.filter((part) => part !== "").join("\n\n");
}

/**
 * @param {Schema} schema
 * @param {boolean} isRequest
 */
function fieldsTable(schema, isRequest) {
  const rows = schemaFields(schema).map(({ name, isRequired, text }) => [
    `\`${name}\``,
    isRequired ? (isRequest ? "yes" : "always") : "",
    text,
  ]);
  return rows.length === 0
    ? ""
    : table(["field", isRequest ? "required" : "present", "value"], rows);
}

/**
 * @param {string[]} heads
 * @param {string[][]} rows
 */
function table(heads, rows) {
  const line = (/** @type {string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
