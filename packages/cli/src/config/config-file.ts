import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { CliError } from "../cli-context.ts";

export const configKeys = ["api-key", "api-url"] as const;
export type ConfigKey = (typeof configKeys)[number];

const configSchema = z.object({
  "api-key": z.string().optional(),
  "api-url": z.string().optional(),
});
export type Config = z.infer<typeof configSchema>;

/** Reads the settings; they are empty if the file does not exist. */
export async function readConfig(path: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && isAbsent(error.code)) return {};
    throw new CliError("config_unreadable", `Cannot read ${path}: check its owner and mode`, {
      cause: error,
    });
  }
  const parsed = z.string().transform(parseJson).pipe(configSchema).safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CliError(
    "config_malformed",
    `${path} is malformed: expected a JSON object with the strings api-key and api-url; correct or delete it`,
  );
}

/** Replaces the file atomically, with mode 0600. */
export async function writeConfig(path: string, config: Config): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600, flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    throw new CliError(
      "config_unwritable",
      `Cannot write ${path}: check the folder's owner and mode`,
      {
        cause: error,
      },
    );
  }
}

function isAbsent(code: unknown): boolean {
  return code === "ENOENT" || code === "ENOTDIR";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
