import { z } from "zod";

type Issue = z.core.$ZodIssue;

/** Texts of zod itself begin so; those that a schema of the protocol gives do not. */
const ofTheLibrary = /^(Invalid (input|option|string)|Too (big|small)):?/;

/**
 * What a field must be, in the terms of the API's callers. A number is
 * described with both of its bounds, whichever of them was not kept.
 */
export function describeExpectation(schema: z.ZodType, issue: Issue): string {
  if (issue.code === "invalid_key") {
    return `its name ${issue.issues.map((inner) => inner.message).join(" and ")}`;
  }
  const own = ofTheLibrary.test(issue.message) ? undefined : issue.message;
  const number = describeNumber(choicesAt(schema, issue.path));
  if (number !== undefined) return own === undefined ? `must be ${number}` : `${own}: ${number}`;
  return own ?? describeRule(issue);
}

function describeRule(issue: Issue): string {
  switch (issue.code) {
    case "too_small":
      return `must have at least ${counted(issue.minimum, issue.origin)}`;
    case "too_big":
      return `must have at most ${counted(issue.maximum, issue.origin)}`;
    case "invalid_type":
      return `must be ${kinds[issue.expected] ?? `of type ${issue.expected}`}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_union": {
      const choices = issue.errors.flat().map((choice) => describeChoice(choice));
      return choices.length === 0 ? issue.message : [...new Set(choices)].join(", or ");
    }
    default:
      return issue.message;
  }
}

function describeChoice(issue: Issue): string {
  return ofTheLibrary.test(issue.message) ? describeRule(issue) : issue.message;
}

const kinds: Record<string, string> = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
};

function counted(count: number | bigint, origin: string): string {
  const unit = origin === "string" ? "character" : "entr";
  const ending = origin === "string" ? (count === 1 ? "" : "s") : count === 1 ? "y" : "ies";
  return `${count} ${unit}${ending}`;
}

function describeNumber(choices: readonly z.core.$ZodType[]): string | undefined {
  const number = choices.find((choice) => choice instanceof z.ZodNumber);
  if (!(number instanceof z.ZodNumber)) return undefined;
  const noun = number.isInt ? "a whole number" : "a number";
  const least = bound(number.minValue);
  const most = bound(number.maxValue);
  const takesZero = choices.some(
    (choice) => choice instanceof z.ZodLiteral && choice.values.has(0) && choice.values.size === 1,
  );
  const zero = takesZero ? ", or 0 for the default" : "";
  if (least !== undefined && most !== undefined) return `${noun} from ${least} to ${most}${zero}`;
  if (least !== undefined) return `${noun} of at least ${least}${zero}`;
  return most === undefined ? `${noun}${zero}` : `${noun} of at most ${most}${zero}`;
}

/** A whole number is always within what JavaScript counts exactly, which is no bound of ours. */
function bound(value: number | null): number | undefined {
  const isOurs = value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  return isOurs ? value : undefined;
}

/** The schemas that may validate a field, without the wrappers of optional fields. */
function choicesAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType[] {
  let choices = unwrap(schema);
  for (const key of path) choices = choices.flatMap((choice) => inside(choice, key));
  return choices;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return unwrap(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option));
  return [schema];
}

function inside(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodArray) return unwrap(schema.element);
  if (schema instanceof z.ZodRecord) return unwrap(schema.valueType);
  if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.shape, key)) return [];
  const field: z.core.$ZodType | undefined = schema.shape[String(key)];
  return field === undefined ? [] : unwrap(field);
}
