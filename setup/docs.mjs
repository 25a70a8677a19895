// @ts-check
import process from "node:process";
import { buildSite, siteDirectory } from "./documentation.mjs";
import { createProgress } from "./progress.mjs";
import { reportSetupError } from "./setup-error.mjs";

try {
  await createProgress().step("documentation site", buildSite);
  process.stdout.write(`\n${siteDirectory}\n`);
} catch (error) {
  reportSetupError(error);
}
