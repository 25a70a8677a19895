import { type ErrorCode, WireError } from "@opencomputer/protocol/api";
import type { FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { describeExpectation } from "./describe-expectation.ts";

/** Fields that may hold a secret, or something as private: never quoted in an error. */
const unquotedFields = new Set<PropertyKey>([
  ...["value", "accessKeyId", "secretAccessKey", "sessionToken"],
  ...["envs", "cmd", "args", "metadata", "image"],
  ...["url", "secret", "webhooks"],
]);
const quotedCharactersMax = 80;
const issuesShownMax = 5;

/**
 * Validates a part of a request with its schema. An error names the field, what
 * was expected and what was found.
 */
export const validateRequest: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    // An absent map is none: taken as empty, it would clear what the request replaces.
    const isMap = schema instanceof z.ZodRecord;
    const input = httpPart === "body" && !isMap ? (data ?? {}) : data;
    const parsed = schema.safeParse(input);
    if (parsed.success) return { value: parsed.data };
    return { error: toWireError(schema, parsed.error.issues, input) };
  };

function toWireError(schema: z.ZodType, issues: z.core.$ZodIssue[], input: unknown): WireError {
  const lines = issues
    .flatMap(narrow)
    .slice(0, issuesShownMax)
    .map((issue) => describeIssue(schema, issue, input));
  return new WireError(codeFor(issues[0]), lines.join("; "));
}

function codeFor(issue: z.core.$ZodIssue | undefined): ErrorCode {
  const [field, index] = issue?.path ?? [];
  if (issue?.code !== "custom" || typeof index !== "number") return "invalid_request";
  const isPattern = field === "egressAllowlist" || field === "allowedHosts";
  return isPattern ? "invalid_host_pattern" : "invalid_request";
}

/** Replaces an issue of a union by those within the one choice whose kind the input has, if there is one. */
function narrow(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const fitting = issue.errors.filter((choice) => choice.every(({ path }) => path.length > 0));
  const [choice] = fitting;
  if (choice === undefined || fitting.length > 1) return [issue];
  return choice.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

function describeIssue(schema: z.ZodType, issue: z.core.$ZodIssue, input: unknown): string {
  const field = issue.path.map(String).join(".");
  const expectation = describeExpectation(schema, issue);
  const subject = field === "" ? "The request" : field;
  if (issue.code === "invalid_key") return `${subject}: ${expectation}`;
  return `${subject}: ${expectation}, found ${foundBy(issue) ?? describeFound(issue.path, input)}`;
}

/** What a schema of the protocol itself reports to have found. */
function foundBy(issue: z.core.$ZodIssue): string | undefined {
  const found: unknown = issue.code === "custom" ? issue.params?.["found"] : undefined;
  return typeof found === "string" ? found : undefined;
}

function describeFound(path: readonly PropertyKey[], input: unknown): string {
  let found = input;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return "nothing";
    found = Object.getOwnPropertyDescriptor(found, key)?.value;
  }
  if (found === undefined) return "nothing";
  if (found === null) return "null";
  if (Array.isArray(found)) return "a list";
  if (typeof found === "object") return "an object";
  const [field] = path;
  if (field === undefined || unquotedFields.has(field)) return `a ${typeof found}`;
  const text = JSON.stringify(found);
  return text.length > quotedCharactersMax ? `a long ${typeof found}` : text;
}
