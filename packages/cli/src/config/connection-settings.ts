import { defaultApiUrl } from "@opencomputer/sdk";
import type { CliContext } from "../cli-context.ts";
import { readConfig } from "./config-file.ts";

/** A setting and its source, as `oc config show` prints them. */
export interface Setting {
  value: string | undefined;
  source: string;
}

export interface ConnectionFlags {
  apiKey?: string | undefined;
  apiUrl?: string | undefined;
}

/** Resolves key and URL: from the flag, else the environment, else the file, else the default. */
export async function resolveSettings(
  context: CliContext,
  flags: ConnectionFlags,
): Promise<{ apiKey: Setting; apiUrl: Setting }> {
  const config = await readConfig(context.configPath);
  const choose = (
    flag: { name: string; value: string | undefined },
    variable: string,
    fileValue: string | undefined,
    fallback: string | undefined,
  ): Setting => {
    const inEnvironment = context.environment[variable];
    if (flag.value !== undefined) return { value: flag.value, source: flag.name };
    if (inEnvironment) return { value: inEnvironment, source: variable };
    if (fileValue) return { value: fileValue, source: context.configPath };
    return { value: fallback, source: fallback === undefined ? "not set" : "default" };
  };
  return {
    apiKey: choose(
      { name: "--api-key", value: flags.apiKey },
      "OPENCOMPUTER_API_KEY",
      config["api-key"],
      undefined,
    ),
    apiUrl: choose(
      { name: "--api-url", value: flags.apiUrl },
      "OPENCOMPUTER_API_URL",
      config["api-url"],
      defaultApiUrl,
    ),
  };
}
