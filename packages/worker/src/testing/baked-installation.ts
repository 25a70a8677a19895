import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const cacheDirectory = fileURLToPath(new URL("../../../../.cache", import.meta.url));
/** What `e2e/prepare-template.ts` bakes before the end-to-end tests. */
const template = join(cacheDirectory, "installation-template");

/** An image and a golden snapshot for many data directories, which share them by hard links. */
export interface BakedInstallation {
  /** That the guests of the snapshot trust. */
  readonly certificatePem: string;
  /** Who owns the files: the worker whose data directory has links to them. */
  readonly userId: number;
  readonly groupId: number;
  /** On the file system of the snapshot, as hard links are. */
  readonly parentDirectory: string;
  linkInto(dataDirectory: string): Promise<void>;
}

/** Undefined before end-to-end tests ran in this checkout: a worker then bakes by itself. */
export async function findBakedInstallation(): Promise<BakedInstallation | undefined> {
  const certificatePath = join(template, "certificate.pem");
  if (!existsSync(certificatePath)) return undefined;
  const { uid, gid } = await stat(join(template, "golden"));
  return {
    certificatePem: await readFile(certificatePath, "utf8"),
    userId: uid,
    groupId: gid,
    parentDirectory: cacheDirectory,
    async linkInto(dataDirectory) {
      const parts = ["images", "golden", "worker/accelerator.json"];
      const options = ["--archive", "--link", "--parents"];
      await promisify(execFile)("cp", [...options, ...parts, dataDirectory], { cwd: template });
    },
  };
}
