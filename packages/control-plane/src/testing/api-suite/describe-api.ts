import { describe } from "node:test";
import { describeAuthentication } from "./authentication.ts";
import { describeSandboxes } from "./sandboxes.ts";
import { describeSecretStores } from "./secret-stores.ts";
import type { OpenTestDatabase } from "./with-installation.ts";

/** The whole API, over one kind of database. */
export function describeApi(databaseKind: string, openDatabase: OpenTestDatabase): void {
  describe(`API on ${databaseKind}`, () => {
    describeAuthentication(openDatabase);
    describeSecretStores(openDatabase);
    describeSandboxes(openDatabase);
  });
}
