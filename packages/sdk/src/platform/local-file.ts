/** A file below a directory of this machine. */
export interface LocalFile {
  path: string;
  /** Below the directory, with `/` between its parts. */
  relativePath: string;
}
