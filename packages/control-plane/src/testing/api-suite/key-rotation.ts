import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const rotateKeyFile = fileURLToPath(new URL("../../rotate-key.ts", import.meta.url));

export function describeKeyRotation(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("rotation of the service's own key", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    /** `npm run rotate-key` for this installation. */
    const rotateKey = async (environment: Record<string, string> = {}) => {
      const directory = await mkdtemp(join(tmpdir(), "opencomputer-rotate-key-"));
      await symlink(installation().dataDirectory, join(directory, "control-plane"));
      const words = ["--conditions=source", rotateKeyFile];
      const env = { PATH: process.env["PATH"], OPENCOMPUTER_DATA_DIR: directory, ...environment };
      const outcome = await new Promise<{ exitCode: number; stdout: string; stderr: string }>(
        (resolve) =>
          execFile(process.execPath, words, { env }, (error, stdout, stderr) =>
            resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }),
          ),
      );
      await rm(directory, { recursive: true });
      return outcome;
    };
    const keyFile = (name = "encryption-key") => join(installation().dataDirectory, name);
    const hasPrevious = () =>
      access(keyFile("encryption-key.previous")).then(
        () => true,
        () => false,
      );

    test("keeps secrets, tokens, signed URLs and the certificate authority, before and after it ends", async () => {
      const { egressProxy } = installation();
      const store = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json.id;
      await call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value: "the value" } });
      const { sandboxID, token } = (
        await call("POST", "/api/sandboxes", { body: { secretStore: "s" } })
      ).json;
      const path = `/api/sandboxes/${sandboxID}/files`;
      await call("PUT", `${path}?path=/f`, { rawBody: "content" });
      const signed = (await call("POST", `${path}/download-url`, { body: { path: "/f" } })).json;
      const authority = egressProxy.certificateAuthority;
      const assertAllWorks = async () => {
        await egressProxy.restart();
        await eventually(
          () => egressProxy.sessions.get(sandboxID)?.secrets[0]?.value === "the value",
          "the proxy is filled",
        );
        assert.deepEqual(egressProxy.certificateAuthority, authority);
        const headers = { authorization: `Bearer ${token}` };
        const listed = await call("GET", `${path}/list?path=/`, { key: null, headers });
        assert.equal(listed.status, 200, "the sandbox's token");
        const { pathname, search } = new URL(signed.url);
        assert.equal((await call("GET", pathname + search, { key: null })).text, "content");
      };

      const present = await readFile(keyFile(), "utf8");
      const rotated = await rotateKey();
      assert.deepEqual([rotated.exitCode, rotated.stderr], [0, ""]);
      assert.match(rotated.stdout, /Restart the service/);
      assert.equal(await readFile(keyFile("encryption-key.previous"), "utf8"), present);
      const replaced = await readFile(keyFile(), "utf8");
      assert.notEqual(replaced, present);
      assert.ok(![present, replaced].some((key) => rotated.stdout.includes(key.trim())));
      // The service runs on with the key that it was started with.
      await call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value: "the value" } });
      await assertAllWorks();
      const again = await rotateKey();
      assert.equal(again.exitCode, 1);
      assert.match(again.stderr, /has not ended yet/);

      await installation().restart();
      await assertAllWorks();
      await eventually(async () => !(await hasPrevious()), "the previous key is forgotten");
      await installation().restart();
      await assertAllWorks();
      assert.equal(await readFile(keyFile(), "utf8"), replaced);
      assert.equal((await rotateKey()).exitCode, 0, "it can be rotated again");
    });

    test("is refused where the key is set, with what to do instead", async () => {
      const before = await readFile(keyFile(), "utf8");
      const refused = await rotateKey({ OPENSANDBOX_SECRET_ENCRYPTION_KEY: "ab".repeat(32) });
      assert.equal(refused.exitCode, 1);
      assert.match(refused.stderr, /OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS/);
      assert.equal(await readFile(keyFile(), "utf8"), before);
    });
  });
}
