import { Option } from "commander";

export const idleRules = ["requests", "cpu"] as const;

/** `--idle`, of what makes a sandbox. */
export function createIdleOption(whenLeftOut: string): Option {
  const text = `what keeps it awake: requests, or also the CPU time of its processes; ${whenLeftOut}`;
  return new Option("--idle <rule>", text).choices(idleRules);
}
