import { readSettings, settingSchemas } from "@opencomputer/protocol";
import type { z } from "zod";

const shape = settingSchemas;
export type ServeSettings = z.infer<z.ZodObject<typeof shape>>;

/**
 * Every setting of the service, checked before anything is started.
 *
 * @throws {SettingsError} naming every malformed variable.
 */
export function readServeSettings(environment: NodeJS.ProcessEnv): ServeSettings {
  return readSettings(shape, environment);
}
