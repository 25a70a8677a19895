import { readFileSync } from "node:fs";
import {
  readSettings,
  SettingsError,
  settingSchemas,
  traceSettingSchemas,
} from "@opencomputer/protocol/wire";
import type { z } from "zod";

export type ServeSettings = z.infer<z.ZodObject<typeof settingSchemas>>;

/** What the receiver of spans asks for, such as a key. */
const traceSecretNames = [
  "OTEL_EXPORTER_OTLP_HEADERS",
  "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
] as const;

/** Settings of the processes that export spans which may be in their environment. */
export const traceSettingNames = Object.keys(traceSettingSchemas).filter(
  (name) => !traceSecretNames.some((secretName) => secretName === name),
);

/** Settings that only the processes named here get, and not in their environment. */
export const secretSettingNames = {
  controlPlane: [
    ...traceSecretNames,
    "OPENCOMPUTER_API_KEY",
    "DATABASE_URL",
    "OPENSANDBOX_SECRET_ENCRYPTION_KEY",
    "OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS",
  ],
  worker: traceSecretNames,
  egressProxy: ["OPENCOMPUTER_EGRESS_UPSTREAM_PROXY"],
} as const;

/**
 * Removes the secrets from an environment and returns them, so that no process
 * that this one starts inherits them. Each may also be the content of the file
 * that `<name>_FILE` names, such as a credential of systemd.
 *
 * @throws {SettingsError} for a secret that is set twice, or whose file cannot be read.
 */
export function takeSecrets(environment: NodeJS.ProcessEnv): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const name of new Set(Object.values(secretSettingNames).flat())) {
    const value = environment[name] || undefined;
    const fileName = `${name}_FILE`;
    const path = environment[fileName] || undefined;
    delete environment[name];
    delete environment[fileName];
    if (value !== undefined && path !== undefined) {
      throw new SettingsError(`${name} and ${fileName} are both set: set one of them.`);
    }
    const secret = path === undefined ? value : readSecretFile(fileName, path);
    if (secret !== undefined) secrets[name] = secret;
  }
  return secrets;
}

function readSecretFile(name: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    const error = new SettingsError(`${name}: ${path} cannot be read`);
    error.cause = cause;
    throw error;
  }
  if (text === "") throw new SettingsError(`${name}: ${path} is empty, expected the secret`);
  return text;
}

/**
 * Reads every setting of the service, before anything is started.
 *
 * @throws {SettingsError} naming every malformed variable.
 */
export function readServeSettings(environment: NodeJS.ProcessEnv): ServeSettings {
  return readSettings(settingSchemas, environment);
}

/** The paths of this host that a `DATABASE_URL` names: directories of sockets, and files of certificates and keys. */
export function databaseUrlPaths(url: string | undefined): {
  directories: string[];
  files: string[];
} {
  if (url === undefined) return { directories: [], files: [] };
  const { hostname, searchParams } = new URL(url);
  const isPath = (text: string | null): text is string => text?.startsWith("/") === true;
  return {
    directories: [decodeURIComponent(hostname), searchParams.get("host")].filter(isPath),
    files: ["sslrootcert", "sslcert", "sslkey"]
      .map((name) => searchParams.get(name))
      .filter(isPath),
  };
}
