import type { Logger } from "pino";
import { openKeyFiles } from "./key-files.ts";
import { createKeyRing, type KeyRing, keyIdOf } from "./key-ring.ts";

export interface LoadedKeyRing {
  keyRing: KeyRing;
  /** Whether values may still be encrypted with a key other than the newest. */
  isRotating: boolean;
  /** Removes the file of the previous key, or logs that its setting can be unset. Call it once no value needs one. */
  forgetPreviousKeys(): Promise<void>;
}

/**
 * The key ring from `OPENSANDBOX_SECRET_ENCRYPTION_KEY`, or from the file
 * `encryption-key` of the data directory, which is made once when the
 * variable is not set; and the keys that either replaces.
 *
 * @throws when a file exists and is not 64 hexadecimal digits.
 */
export async function loadKeyRing(options: {
  configuredKey: string | undefined;
  /** The oldest first. */
  configuredPreviousKeys: readonly string[];
  dataDirectory: string;
  logger: Logger;
}): Promise<LoadedKeyRing> {
  const { configuredKey, configuredPreviousKeys, logger } = options;
  if (configuredKey !== undefined) {
    return {
      ...ringOf([...configuredPreviousKeys, configuredKey]),
      forgetPreviousKeys: async () => {
        logger.warn(
          "no value needs a previous encryption key: unset OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS",
        );
      },
    };
  }
  const files = openKeyFiles(options.dataDirectory);
  if ((await files.readKey()) === undefined) await files.makeKey();
  const key = await files.readKey();
  if (key === undefined) throw new Error(`${files.path} is absent right after it was made`);
  const previous = await files.readPreviousKey();
  logger.warn(
    { path: files.path },
    "secrets are encrypted with a key on the same disk; in production set OPENSANDBOX_SECRET_ENCRYPTION_KEY",
  );
  return {
    ...ringOf([...configuredPreviousKeys, ...(previous === undefined ? [] : [previous]), key]),
    forgetPreviousKeys: () => files.removePreviousKey(),
  };
}

/** A key that is named twice is in the ring once, at its last place. */
function ringOf(keysInHex: readonly string[]): Pick<LoadedKeyRing, "keyRing" | "isRotating"> {
  const keys = [...new Set(keysInHex.map((hex) => hex.toLowerCase()).toReversed())].toReversed();
  const keyRing = createKeyRing(
    keys.map((hex) => {
      const key = Buffer.from(hex, "hex");
      return [keyIdOf(key), key] as const;
    }),
  );
  return { keyRing, isRotating: keys.length > 1 };
}
