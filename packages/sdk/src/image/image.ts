import {
  type ImageManifest,
  type ImageStep,
  imageManifestSchema,
} from "@opencomputer/protocol/api";
import { listLocalFiles, readLocalFile, sha256Hex } from "#platform";
import { OpenComputerError } from "../open-computer-error.ts";

/**
 * What a sandbox starts from, as steps on top of the base image. An image is
 * immutable: each method returns a new one with one more step. The service
 * builds it at its first use and caches it.
 *
 * Steps run as root. The variables and the working directory that they set
 * apply to later steps and to every command in a sandbox. Relative
 * paths start at the working directory, at first `/home/sandbox`.
 */
export class Image {
  readonly #steps: readonly ImageStep[];
  readonly #builderMemoryMB: number | undefined;

  private constructor(steps: readonly ImageStep[], builderMemoryMB: number | undefined) {
    this.#steps = steps;
    this.#builderMemoryMB = builderMemoryMB;
  }

  /** The platform's own image: Debian with Python, Node.js, git and build tools. */
  static base(): Image {
    return new Image([], undefined);
  }

  /**
   * The image of a manifest, as {@link Image.toJSON} returns it.
   *
   * @throws {OpenComputerError} `invalid_request` for a malformed manifest.
   */
  static fromJSON(manifest: unknown): Image {
    const parsed = imageManifestSchema.safeParse(manifest);
    if (parsed.success) {
      return new Image(parsed.data.steps, parsed.data.builderMemoryMB || undefined);
    }
    const [issue] = parsed.error.issues;
    throw new OpenComputerError(
      "invalid_request",
      `The manifest of the image is malformed: ${issue?.path.join(".") || "it"}: ${issue?.message}`,
    );
  }

  /** Installs Debian packages. */
  aptInstall(packages: readonly string[]): Image {
    return this.#with({ type: "apt_install", args: { packages: [...packages] } });
  }

  /** Installs Python packages for the system's Python, such as `pandas` or `requests==2.32.3`. */
  pipInstall(packages: readonly string[]): Image {
    return this.#with({ type: "pip_install", args: { packages: [...packages] } });
  }

  /** Runs shell commands one after another; the first that fails ends the build. */
  runCommands(...commands: readonly (string | readonly string[])[]): Image {
    return this.#with({ type: "run", args: { commands: commands.flat() } });
  }

  /** Sets plain variables. Secrets and the `envs` of a sandbox override them. */
  env(variables: Readonly<Record<string, string>>): Image {
    const entries = Object.entries(variables).sort(([one], [other]) => (one < other ? -1 : 1));
    return this.#with({ type: "env", args: { vars: Object.fromEntries(entries) } });
  }

  /** Sets the working directory, which is created if it does not exist. */
  workdir(path: string): Image {
    return this.#with({ type: "workdir", args: { path } });
  }

  /** Adds a file; text is written as UTF-8. It belongs to the owner of its directory. */
  addFile(remotePath: string, content: string | Uint8Array): Image {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return this.#with({
      type: "add_file",
      args: { path: remotePath, content: toBase64(bytes), encoding: "base64" },
    });
  }

  /**
   * Adds a file of this machine, as it is now. Needs Node.js.
   *
   * @throws {OpenComputerError} `invalid_request` when it cannot be read.
   */
  addLocalFile(localPath: string, remotePath: string): Image {
    return this.addFile(remotePath, readLocalFile(localPath));
  }

  /**
   * Adds all files below a directory of this machine, as they are now. Needs
   * Node.js. Links to files are followed; execute bits are not kept.
   *
   * @throws {OpenComputerError} `invalid_request` when one cannot be read.
   */
  addLocalDir(localPath: string, remotePath: string): Image {
    const files = listLocalFiles(localPath).map(({ path, relativePath }) => ({
      relativePath,
      content: toBase64(readLocalFile(path)),
    }));
    return this.#with({ type: "add_dir", args: { path: remotePath, files } });
  }

  /** Sets the memory of the sandbox that builds the image, in MB, 256–16384. Default 1024. It does not affect the image. */
  builderMemory(memoryMB: number): Image {
    return new Image(this.#steps, memoryMB);
  }

  /** The manifest that is sent to the service. */
  toJSON(): ImageManifest {
    const manifest: ImageManifest = { base: "base", steps: [...this.#steps] };
    if (this.#builderMemoryMB !== undefined) manifest.builderMemoryMB = this.#builderMemoryMB;
    return manifest;
  }

  /**
   * The key under which the service caches the image: the SHA-256, hexadecimal,
   * of its base and steps. The same steps with the same files have the same key. Needs
   * Node.js.
   */
  cacheKey(): string {
    return sha256Hex(JSON.stringify({ base: "base", steps: this.#steps }));
  }

  #with(step: ImageStep): Image {
    return new Image([...this.#steps, step], this.#builderMemoryMB);
  }
}

/** As many bytes as a function accepts as arguments in every engine. */
const chunkBytes = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    text += String.fromCharCode(...bytes.subarray(from, from + chunkBytes));
  }
  return btoa(text);
}
