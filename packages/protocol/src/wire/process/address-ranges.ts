import { z } from "zod";
import { serviceLimits } from "../limits.ts";

/**
 * Services that clouds give to their machines at addresses that look public:
 * Azure's, which hands out credentials. Those of other clouds are in ranges
 * that are closed anyway.
 */
export const cloudServiceRanges: readonly string[] = ["168.63.129.16/32"];

const rangeSchema = z.union([z.cidrv4(), z.cidrv6()]);
const addressSchema = z.union([
  z.ipv4().transform((address) => `${address}/32`),
  z.ipv6().transform((address) => `${address}/128`),
]);

/** IPv4 and IPv6 ranges, or single addresses, separated by commas: `203.0.113.0/24,2001:db8::1`. */
export const addressRangesSchema = z.string().transform((text, context): readonly string[] => {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message, input: text });
    return z.NEVER;
  };
  const entries = text.split(",").map((part) => part.trim());
  const ranges: string[] = [];
  for (const entry of entries.filter((part) => part !== "")) {
    const parsed = z.union([rangeSchema, addressSchema]).safeParse(entry);
    if (!parsed.success) {
      return refuse(
        `expected addresses or ranges such as 203.0.113.0/24, got ${JSON.stringify(entry)}`,
      );
    }
    ranges.push(parsed.data);
  }
  if (ranges.length > serviceLimits.egressDeniedRangesMax) {
    return refuse(
      `expected at most ${serviceLimits.egressDeniedRangesMax} ranges, got ${ranges.length}`,
    );
  }
  return ranges;
});
