import { describeApi } from "./testing/api-suite/describe-api.ts";
import { createEmbeddedDatabases } from "./testing/embedded-databases.ts";

describeApi("PGlite", createEmbeddedDatabases());
