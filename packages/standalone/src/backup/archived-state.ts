import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SystemUser } from "../installation/system-users.ts";
import { writeArchive } from "./archive.ts";
import type { BackupPart } from "./backup-manifest.ts";
import { layersOf, listSavedState, stateOf } from "./saved-state.ts";

const attemptsMax = 3;

/** The archives of a backup: parts of a data directory, copied while the service runs. */
export class ArchivedState {
  readonly #dataDirectory: string;
  readonly #backupDirectory: string;
  readonly #worker: SystemUser;
  readonly #parts = new Map<string, BackupPart>();

  constructor(options: { dataDirectory: string; backupDirectory: string; worker: SystemUser }) {
    this.#dataDirectory = options.dataDirectory;
    this.#backupDirectory = options.backupDirectory;
    this.#worker = options.worker;
  }

  parts(): BackupPart[] {
    return [...this.#parts.values()];
  }

  /** Archives a path of the data directory. */
  add(path: string): Promise<void> {
    return this.#archive(this.#dataDirectory, path);
  }

  /**
   * Archives texts that were read from files of a directory of the data
   * directory, by their names. The files are not opened again, since by now
   * their owner may have put links in their place.
   */
  async addTexts(path: string, texts: ReadonlyMap<string, string>): Promise<void> {
    const staging = await mkdtemp(join(this.#backupDirectory, "staging-"));
    try {
      await mkdir(join(staging, path), { recursive: true, mode: 0o700 });
      for (const [name, text] of texts) {
        await writeFile(join(staging, path, name), text, { mode: 0o600 });
      }
      await this.#archive(staging, path);
    } finally {
      await rm(staging, { recursive: true });
    }
  }

  async #archive(root: string, path: string): Promise<void> {
    const file = `${createHash("sha256").update(path).digest("hex").slice(0, 32)}.tar.zst`;
    const target = join(this.#backupDirectory, file);
    await rm(target, { force: true });
    this.#parts.set(path, { file, path, ...(await writeArchive(root, path, target)) });
  }

  /** Archives all saved state that is not archived yet. What changes meanwhile is left out. */
  async addSavedState(report: {
    onStage: (text: string) => void;
    onNote: (text: string) => void;
  }): Promise<void> {
    for (const path of await listSavedState(this.#dataDirectory)) {
      if (this.#parts.has(path)) continue;
      report.onStage(path);
      try {
        if (await this.#addSaved(path)) continue;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if ((await this.#stateOf(path)) !== undefined) throw error;
      }
      report.onNote(`${path} was woken or removed meanwhile, and is left out`);
    }
  }

  /** Returns whether the copy is of one state: nothing changed while it was made. */
  async #addSaved(path: string): Promise<boolean> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const before = await this.#stateOf(path);
      if (before === undefined) return false;
      const layers = await layersOf(this.#worker, this.#dataDirectory, path);
      const layersBefore = await this.#statesOf(layers);
      for (const layer of layers) if (!this.#parts.has(layer)) await this.add(layer);
      await this.add(path);
      const layersAfter = await this.#statesOf(layers);
      const isSame =
        before === (await this.#stateOf(path)) &&
        layersBefore.every((state, index) => state !== undefined && state === layersAfter[index]);
      if (isSame) return true;
      for (const changed of [path, ...layers]) this.#parts.delete(changed);
    }
    return false;
  }

  #stateOf(path: string): Promise<string | undefined> {
    return stateOf(this.#dataDirectory, path);
  }

  #statesOf(paths: readonly string[]): Promise<(string | undefined)[]> {
    return Promise.all(paths.map((path) => this.#stateOf(path)));
  }
}
