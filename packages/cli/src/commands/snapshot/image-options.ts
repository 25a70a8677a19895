import { statSync } from "node:fs";
import { Image } from "@opencomputer/sdk";
import { type Command, InvalidArgumentError } from "commander";
import { collectVariables } from "../../arguments/option-parsers.ts";
import { readText } from "../../arguments/read-text.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";

/** An image flag; flags are applied in the order of the command line. */
type ImageFlag =
  | { kind: "apt" | "pip"; packages: string[] }
  | { kind: "step"; apply: (image: Image) => Image };

/**
 * Adds the flags that describe an image. They may be repeated and mixed, and
 * their order is the order of the steps.
 *
 * @returns a function that creates the image from the flags or the manifest.
 */
export function addImageOptions(
  command: Command,
  context: CliContext,
): (manifest: string | undefined) => Promise<Image> {
  const flags: ImageFlag[] = [];
  const step = (apply: (image: Image) => Image) => {
    flags.push({ kind: "step", apply });
    return true;
  };
  /** Consecutive packages are installed in one step. */
  const addPackage = (kind: "apt" | "pip") => (name: string) => {
    const last = flags.at(-1);
    if (last?.kind === kind) last.packages.push(name);
    else flags.push({ kind, packages: [name] });
    return true;
  };

  command
    .option("--apt-install <package>", "install a Debian package (repeatable)", addPackage("apt"))
    .option("--pip-install <package>", "install a Python package (repeatable)", addPackage("pip"))
    .option("--run <command>", "run a shell command as root (repeatable)", (text: string) =>
      step((image) => image.runCommands(text)),
    )
    .option(
      "--env <NAME=VALUE>",
      "set an environment variable for later commands",
      (text: string) => {
        const variables = collectVariables(text, undefined);
        return step((image) => image.env(variables));
      },
    )
    .option("--workdir <path>", "set the working directory for later commands", (path: string) =>
      step((image) => image.workdir(path)),
    )
    .option("--add <local:remote>", "add a local file or directory", (text: string) => {
      const { local, remote } = /^(?<local>.+):(?<remote>[^:]+)$/.exec(text)?.groups ?? {};
      if (local === undefined || remote === undefined) {
        throw new InvalidArgumentError("Expected LOCAL-PATH:PATH-IN-THE-IMAGE.");
      }
      return step((image) =>
        isDirectory(local) ? image.addLocalDir(local, remote) : image.addLocalFile(local, remote),
      );
    })
    .option("--manifest <file>", "read the whole image from a JSON file; - reads it from stdin");

  return async (manifest) => {
    if (manifest === undefined) return flags.reduce(applyFlag, Image.base());
    if (flags.length > 0) {
      throw new CliError(
        "invalid_usage",
        "--manifest describes the whole image: pass no other image flags",
      );
    }
    return Image.fromJSON(parseJson(manifest, await readText(context, manifest)));
  };
}

function applyFlag(image: Image, flag: ImageFlag): Image {
  if (flag.kind === "step") return flag.apply(image);
  const { kind, packages } = flag;
  return kind === "apt" ? image.aptInstall(packages) : image.pipInstall(packages);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError("invalid_request", `${path} is not JSON: ${reason}`, { cause });
  }
}
