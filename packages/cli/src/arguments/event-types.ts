import { type EventType, eventTypeSchema } from "@opencomputer/sdk";
import { InvalidArgumentError } from "commander";

/** Types of events, as an option has them. */
export const eventTypesSchema = eventTypeSchema.array();

/** Collects the types of a repeatable option, separated by commas. */
export function collectEventTypes(text: string, earlier: EventType[] | undefined): EventType[] {
  const parsed = eventTypesSchema.safeParse(text.split(","));
  if (parsed.success) return [...(earlier ?? []), ...parsed.data];
  throw new InvalidArgumentError(
    `Expected one or more of ${eventTypeSchema.options.join(", ")}, separated by commas.`,
  );
}
