import { Image } from "@opencomputer/sdk";
import { pairsSoFar, parseLines, parsePairs } from "../parts/parse-lines.ts";

/** The fields of the form that builds an image, as they are typed. Its steps run in this order. */
export interface ImageForm {
  name: string;
  /** Packages, separated by blanks or lines. */
  aptPackages: string;
  pipPackages: string;
  /** `NAME=VALUE` in each line. */
  variables: string;
  workdir: string;
  /** One command in each line. */
  commands: string;
}

export const emptyImageForm: ImageForm = {
  ...{ name: "", aptPackages: "", pipPackages: "", variables: "", workdir: "", commands: "" },
};

const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/**
 * The image of the form. Its steps are those that `oc` makes of the same flags,
 * so that both find what the other has built.
 *
 * @throws {Error} for a line that is no variable.
 */
export function imageOf(form: ImageForm): Image {
  let image = Image.base();
  if (words(form.aptPackages).length > 0) image = image.aptInstall(words(form.aptPackages));
  if (words(form.pipPackages).length > 0) image = image.pipInstall(words(form.pipPackages));
  for (const [name, value] of Object.entries(parsePairs(form.variables))) {
    image = image.env({ [name]: value });
  }
  if (form.workdir.trim() !== "") image = image.workdir(form.workdir.trim());
  for (const command of parseLines(form.commands)) image = image.runCommands(command);
  return image;
}

/** The command line that builds the same image. */
export function createSnapshotCommand(form: ImageForm): string[] {
  const each = (flag: string, values: readonly string[]) =>
    values.flatMap((value) => [flag, value]);
  return [
    ...["oc", "snapshot", "create", "--name", form.name || "NAME"],
    ...each("--apt-install", words(form.aptPackages)),
    ...each("--pip-install", words(form.pipPackages)),
    ...each(
      "--env",
      Object.entries(pairsSoFar(form.variables)).map(([key, value]) => `${key}=${value}`),
    ),
    ...each("--workdir", parseLines(form.workdir)),
    ...each("--run", parseLines(form.commands)),
  ];
}
