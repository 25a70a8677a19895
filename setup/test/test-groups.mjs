// @ts-check
const filesPerGroupMax = 20;

/**
 * Divides unit tests into groups that share a process, since starting one
 * costs more than most of them. Files of different packages never share one.
 *
 * @param {string[]} files
 * @returns {{ name: string, files: string[] }[]}
 */
export function groupUnitTests(files) {
  /** @type {Map<string, string[]>} */
  const byPackage = new Map();
  for (const file of files) {
    const [first = "", second = ""] = file.split("/");
    const name = first === "packages" ? second : first;
    byPackage.set(name, [...(byPackage.get(name) ?? []), file]);
  }
  return [...byPackage].flatMap(([name, ofPackage]) => {
    const count = Math.ceil(ofPackage.length / filesPerGroupMax);
    return Array.from({ length: count }, (_, group) => ({
      name: `${name}-${group + 1}`,
      files: ofPackage.filter((_file, index) => index % count === group),
    }));
  });
}

/**
 * Divides end-to-end tests into those that share an installation, in so many
 * groups, and those that have one of their own.
 *
 * @param {string[]} files
 * @param {{ groups: number, shares: (file: string) => boolean }} options
 * @returns {{ shared: { name: string, files: string[] }[], alone: string[] }}
 */
export function groupEndToEndTests(files, { groups, shares }) {
  const sharing = files.filter(shares);
  const shared = Array.from({ length: groups }, (_, group) => ({
    name: `shared-installation-${group + 1}`,
    files: sharing.filter((_file, index) => index % groups === group),
  }));
  return {
    shared: shared.filter((group) => group.files.length > 0),
    alone: files.filter((file) => !shares(file)),
  };
}

/**
 * Sorts the files that are known to take long to the front, so that none of
 * them is left running alone at the end. Others keep their order.
 *
 * @param {string[]} files
 * @param {readonly string[]} long beginnings of paths, the longest first
 */
export function longestFirst(files, long) {
  const rank = (/** @type {string} */ file) => {
    const index = long.findIndex((beginning) => file.startsWith(beginning));
    return index === -1 ? long.length : index;
  };
  return files.toSorted((one, other) => rank(one) - rank(other));
}
