import { describe } from "node:test";
import { describeApiKeys } from "./api-keys.ts";
import { describeAuthentication } from "./authentication.ts";
import { describeCanary } from "./canary.ts";
import { describeCheckpoints } from "./checkpoints.ts";
import { describeCommandSessions } from "./command-sessions.ts";
import { describeFailures } from "./failures.ts";
import { describeFiles } from "./files.ts";
import { describeForks } from "./forks.ts";
import { describeFormerSecrets } from "./former-secrets.ts";
import { describeHibernation } from "./hibernation.ts";
import { describeImages } from "./images.ts";
import { describeIsolation } from "./isolation.ts";
import { describeOperatorLimits } from "./operator-limits.ts";
import { describeOrgLimits } from "./org-limits.ts";
import { describePathParameters } from "./path-parameters.ts";
import { describePlacements } from "./placements.ts";
import { describeProjects } from "./projects.ts";
import { describeRandomFailures } from "./random-failures.ts";
import { describeRequests } from "./requests.ts";
import { describeRestarts } from "./restarts.ts";
import { describeSandboxes } from "./sandboxes.ts";
import { describeSecretStores } from "./secret-stores.ts";
import { describeSignedUrls } from "./signed-urls.ts";
import { describeTags } from "./tags.ts";
import { describeTerminals } from "./terminals.ts";
import type { OpenTestDatabase } from "./with-installation.ts";

/** The whole API, over one kind of database. */
export function describeApi(databaseKind: string, openDatabase: OpenTestDatabase): void {
  describe(`API on ${databaseKind}`, () => {
    describeAuthentication(openDatabase);
    describeApiKeys(openDatabase);
    describeRequests(openDatabase);
    describePathParameters(openDatabase);
    describeSecretStores(openDatabase);
    describeProjects(openDatabase);
    describePlacements(openDatabase);
    describeFormerSecrets(openDatabase);
    describeSandboxes(openDatabase);
    describeHibernation(openDatabase);
    describeCheckpoints(openDatabase);
    describeForks(openDatabase);
    describeTags(openDatabase);
    describeFailures(openDatabase);
    describeRestarts(openDatabase);
    describeCommandSessions(openDatabase);
    describeTerminals(openDatabase);
    describeFiles(openDatabase);
    describeSignedUrls(openDatabase);
    describeOrgLimits(openDatabase);
    describeOperatorLimits(openDatabase);
    describeImages(openDatabase);
    describeIsolation(openDatabase);
    describeRandomFailures(openDatabase);
    describeCanary(openDatabase);
  });
}
