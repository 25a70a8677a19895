import { after, before, describe } from "node:test";
import type { ControlPlaneOptions } from "../../control-plane-options.ts";
import type { OpenDatabase } from "../../database/database.ts";
import { startTestInstallation, type TestInstallation } from "../test-installation.ts";

export type OpenTestDatabase = () => Promise<OpenDatabase>;

/** A group of tests around one installation, which starts before the first and ends after the last. */
export function describeWithInstallation(
  name: string,
  openDatabase: OpenTestDatabase,
  tests: (installation: () => TestInstallation) => void,
  options: Partial<ControlPlaneOptions> = {},
): void {
  describe(name, () => {
    let installation: TestInstallation | undefined;
    before(async () => {
      installation = await startTestInstallation(openDatabase, options);
    });
    after(() => installation?.close());
    tests(() => {
      if (installation === undefined) throw new Error("The installation has not started");
      return installation;
    });
  });
}
