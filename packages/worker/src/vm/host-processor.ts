import { readFile } from "node:fs/promises";

/** The processor of this host. */
export interface HostProcessor {
  /** For instance `AMD EPYC 7B13`. */
  readonly name: string;
  /** For instance `AuthenticAMD`. */
  readonly vendor: string;
  /** Its features, by Linux's names. */
  readonly flags: ReadonlySet<string>;
}

export async function readHostProcessor(): Promise<HostProcessor> {
  return parseProcessor(await readFile("/proc/cpuinfo", "utf8"));
}

/** Parses `/proc/cpuinfo`; the first processor represents all of them. */
export function parseProcessor(text: string): HostProcessor {
  const fieldOf = (field: string) =>
    new RegExp(`^${field}[\\t ]*: *(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  return {
    name: fieldOf("model name"),
    vendor: fieldOf("vendor_id"),
    flags: new Set(fieldOf("flags").split(" ").filter(Boolean)),
  };
}
