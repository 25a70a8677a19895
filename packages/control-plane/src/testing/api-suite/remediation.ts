import assert from "node:assert/strict";
import { test } from "node:test";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeRemediation(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "what helps against an error",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const create = (body: unknown) => call("POST", "/api/sandboxes", { body });

      test("is in the response: a command, a setting, or both", async () => {
        const id: string = (await create({})).json.sandboxID;
        const path = `/api/sandboxes/${id}`;
        await call("PUT", `${path}/scaling-lock`, { body: { locked: true } });
        const cases = [
          [await create({ secretStore: "none" }), "oc secret-store list"],
          [await create({ project: "none" }), "oc project list"],
          [await create({ snapshot: "none" }), "oc snapshot list"],
          [await create({}), "OPENCOMPUTER_SANDBOXES_PER_ORG_MAX"],
          [await call("GET", "/api/sandboxes/sb-none"), "oc ls"],
          [await call("POST", `${path}/preview/80/link`), `oc preview create ${id} --port 80`],
          [
            await call("POST", `${path}/scale`, { body: { memoryMB: 2048 } }),
            `oc sandbox unlock ${id}`,
          ],
          [
            await call("POST", "/api/sandboxes/from-checkpoint/none", { body: {} }),
            "oc checkpoint list <sandbox-id>",
          ],
          [
            await call("POST", "/api/secret-stores", {
              body: { name: "x".repeat(2 * 1024 * 1024) },
            }),
            "OPENCOMPUTER_API_BODY_BYTES_MAX",
          ],
          [
            await call("GET", "/api/sandboxes", { headers: { "x-long": "a".repeat(40_000) } }),
            "OPENCOMPUTER_API_HEADER_BYTES_MAX",
          ],
        ] as const;
        for (const [{ status, json }, helps] of cases) {
          assert.ok(status >= 400, helps);
          assert.ok(String(json.remediation).includes(helps), `${json.error}: ${json.remediation}`);
        }
      });

      test("has no text of the caller's, which a reader would run with the command", async () => {
        for (const field of ["secretStore", "project", "snapshot"]) {
          const { json } = await create({ [field]: "canary; rm -rf ~" });
          assert.ok(json.error.includes("canary") && !json.remediation.includes("canary"), field);
        }
      });

      test("is left out where nothing of the kind helps", async () => {
        for (const response of [
          await call("GET", "/api/nowhere"),
          await create({ cpuCount: "many" }),
          await call("POST", "/api/sandboxes", { rawBody: "{" }),
        ]) {
          assert.deepEqual(Object.keys(response.json), ["error", "code"]);
        }
      });
    },
    { sandboxesPerOrgMax: 1 },
  );
}
