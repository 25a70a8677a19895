import type { EventRecord } from "@opencomputer/sdk";
import { visibleText } from "../parts/visible-text.ts";

/** An event for people: its type, also one that this dashboard does not know, and each field of its data as text. */
export function describeEvent(event: EventRecord): {
  type: string;
  details: Record<string, string>;
} {
  const { type, data } = event.type === "unknown" ? event.data : event;
  const details = Object.entries(data).map(([name, value]) => [
    name,
    visibleText(typeof value === "string" ? value : JSON.stringify(value)),
  ]);
  return { type, details: Object.fromEntries(details) };
}
