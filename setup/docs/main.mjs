// @ts-check
import process from "node:process";
import { createProgress } from "../progress.mjs";
import { reportSetupError } from "../setup-error.mjs";
import { buildSite, siteDirectory } from "./build-site.mjs";

try {
  await createProgress().step("documentation site", buildSite);
  process.stdout.write(`\n${siteDirectory}\n`);
} catch (error) {
  reportSetupError(error);
}
