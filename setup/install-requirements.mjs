// @ts-check
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installSiteGenerator } from "./docs/build-site.mjs";
import { installNewerPostgres } from "./newer-postgres.mjs";
import { createProgress } from "./progress.mjs";
import {
  dataDirectory,
  installNodePackages,
  installPackagesOf,
  projectDirectory,
} from "./project-steps.mjs";
import { unpackPrometheus } from "./prometheus.mjs";
import { installGrpc, installPythonSdk, installPythonTools } from "./python.mjs";
import { installSystemPackages } from "./system-packages.mjs";
import { installAwsTools, installGuestClients } from "./test-clients.mjs";

const pgliteReaderDirectory = join(projectDirectory, "setup/pglite-export");

/**
 * Installs what commands of this purpose need from elsewhere, at the same time
 * where one does not need another.
 *
 * @param {"check" | "docs" | "host" | "test"} purpose
 */
export async function installRequirements(purpose) {
  const { step } = createProgress();
  const installations = [step("npm packages", installNodePackages)];
  if (purpose === "check" || purpose === "docs") {
    installations.push(step("site generator", installSiteGenerator));
  } else {
    const need = { purpose, dataDirectory: dataDirectory() };
    installations.push(
      step("reader of earlier databases", (report) => installPgliteReader(need, report)),
    );
  }
  if (purpose !== "docs") installations.push(installForSystem(purpose));
  await Promise.all(installations);

  /** @param {"check" | "host" | "test"} purpose */
  async function installForSystem(purpose) {
    await step("system packages", (report) => installSystemPackages(purpose, report));
    if (purpose === "check") await step("Python tools", installPythonTools);
    if (purpose !== "test") return;
    await Promise.all([
      installWithPython(),
      step("gRPC of Python for tests of the proxy", installGrpc),
      step("Prometheus for tests of monitoring", unpackPrometheus),
    ]);
  }

  /** The SDK comes with the environments whose pip installs the others. */
  async function installWithPython() {
    await step("Python SDK", installPythonSdk);
    await Promise.all([
      step("clients for guests", installGuestClients),
      step("S3 server and AWS SDK for Python", installAwsTools),
      step("PostgreSQL 16 for tests of the upgrade", installNewerPostgres),
    ]);
  }
}

/**
 * Installs the program that reads the database of an earlier version, where a
 * data directory has one or the tests need it.
 *
 * @param {{ purpose: "host" | "test", dataDirectory: string }} need
 * @param {(text: string) => void} report
 */
async function installPgliteReader({ purpose, dataDirectory }, report) {
  const isNeeded = purpose === "test" || existsSync(join(dataDirectory, "database/PG_VERSION"));
  if (!isNeeded) return null;
  return installPackagesOf(pgliteReaderDirectory, report);
}
