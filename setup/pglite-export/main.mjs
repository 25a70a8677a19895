// @ts-check
import { open } from "node:fs/promises";
import process from "node:process";
import { exportDatabase } from "./export-database.mjs";

// node main.mjs DIRECTORY FILE: writes the rows of the PGlite database in DIRECTORY to FILE.
// PGlite recovers and locks what it opens: DIRECTORY is a copy that may be thrown away.
const [directory, file] = process.argv.slice(2);
if (directory === undefined || file === undefined) {
  process.stderr.write("Usage: node main.mjs DIRECTORY FILE\n");
  process.exit(2);
}
const output = await open(file, "wx", 0o600);
await exportDatabase(directory, (line) => output.writeFile(`${line}\n`));
await output.sync();
await output.close();
