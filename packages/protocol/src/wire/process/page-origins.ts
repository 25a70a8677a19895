import { z } from "zod";

/** Origins of web pages (RFC 6454, section 6.2), separated by commas. */
export const pageOriginsSchema = z.string().transform((text, context): readonly string[] => {
  const entries = text.split(",").map((part) => part.trim());
  const origins = new Set<string>();
  for (const entry of entries.filter((part) => part !== "")) {
    const url = /^https?:/i.test(entry) && URL.canParse(entry) ? new URL(entry) : undefined;
    // A host with a wildcard would parse as any other.
    if (url === undefined || entry.toLowerCase() !== url.origin || entry.includes("*")) {
      context.addIssue({
        code: "custom",
        message: `expected origins, such as https://app.example.com or http://localhost:3000, got ${JSON.stringify(entry)}`,
        input: text,
      });
      return z.NEVER;
    }
    origins.add(url.origin);
  }
  return [...origins];
});
