import assert from "node:assert/strict";
import { test } from "node:test";
import { egressSessionSchema } from "@opencomputer/protocol/wire";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const credentials = {
  accessKeyId: "AKIAQ7Z2XK9MV4TR8WLP",
  secretAccessKey: "q7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1TuE0aWiOkM",
};
const temporary = {
  accessKeyId: "ASIAB3NYD5HCJ6FGS1TU",
  secretAccessKey: "E0aWiOkMq7Z2xK9mV4tR8wLpB3nYd5HcJ6fGs1Tu",
  sessionToken: "FwoGZXIvYXdzEJr0q7Z2xK9mV4tR8wLpB3nYd5Hc",
};
const variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

export function describeAwsSecrets(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("secrets of kind aws", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const store = async (name: string) =>
      (await call("POST", "/api/secret-stores", { body: { name } })).json.id as string;
    const set = (id: string, name: string, body: object) =>
      call("PUT", `/api/secret-stores/${id}/secrets/${name}`, { body: { kind: "aws", ...body } });
    const list = async (id: string) =>
      (await call("GET", `/api/secret-stores/${id}/secrets`)).json as Record<string, unknown>[];
    const sandbox = async (body: unknown) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const envsOf = (id: string) => installation().worker.machines.get(id)?.request.envs ?? {};
    const sessionOf = (id: string) =>
      egressSessionSchema.parse(installation().egressProxy.sessions.get(id));
    const valuesOf = (id: string) => {
      const [secret] = sessionOf(id).awsSecrets;
      const { accessKeyId, secretAccessKey, sessionToken } = secret ?? {};
      return [accessKeyId?.value, secretAccessKey?.value, sessionToken?.value];
    };
    const tokensOf = (id: string) => {
      const [secret] = sessionOf(id).awsSecrets;
      const { accessKeyId, secretAccessKey, sessionToken } = secret ?? {};
      return [accessKeyId?.token, secretAccessKey?.token, sessionToken?.token];
    };

    test("are set, listed with their kind and the hosts of AWS, and reach the proxy and the environment", async () => {
      const id = await store("aws");
      const response = await set(id, "AWS", credentials);
      assert.deepEqual([response.status, response.json], [200, { name: "AWS", status: "set" }]);
      const [entry] = await list(id);
      assert.deepEqual(
        [entry?.["name"], entry?.["kind"], entry?.["allowedHosts"]],
        ["AWS", "aws", ["*.amazonaws.com"]],
      );
      const created = await sandbox({ secretStore: "aws" });
      assert.deepEqual(valuesOf(created), [...Object.values(credentials), null]);
      assert.deepEqual(Object.keys(envsOf(created)).sort(), variables);
      assert.deepEqual(Object.values(envsOf(created)), tokensOf(created));
      const hosts = (await call("GET", `/api/sandboxes/${created}/allowed-hosts`)).json;
      assert.deepEqual(hosts.perSecretAllowedHosts, { AWS: ["*.amazonaws.com"] });
    });

    test("a project has them too", async () => {
      const { id } = (await call("POST", "/api/projects", { body: { name: "aws" } })).json;
      const body = { kind: "aws", ...temporary };
      await call("PUT", `/api/projects/${id}/secrets/AWS`, { body });
      assert.deepEqual((await call("GET", `/api/projects/${id}/secrets`)).json, ["AWS"]);
      assert.deepEqual(valuesOf(await sandbox({ project: "aws" })), Object.values(temporary));
    });

    test("two of them have variables of their own", async () => {
      const id = await store("two");
      await set(id, "AWS", credentials);
      await set(id, "BACKUP", { ...temporary, allowedHosts: ["minio.example.com"] });
      const envs = envsOf(await sandbox({ secretStore: "two" }));
      const names = variables.flatMap((name) => [name, name.replace("AWS", "BACKUP")]);
      assert.deepEqual(Object.keys(envs).sort(), names.sort());
      assert.equal(new Set(Object.values(envs)).size, 6);
    });

    test("a rotation keeps the tokens and the hosts, and the former values are searched for", async () => {
      const id = await store("rotated");
      await set(id, "AWS", { ...credentials, allowedHosts: ["s3.eu-central-1.amazonaws.com"] });
      const running = await sandbox({ secretStore: "rotated" });
      const tokens = tokensOf(running);
      await set(id, "AWS", temporary);
      assert.deepEqual([valuesOf(running), tokensOf(running)], [Object.values(temporary), tokens]);
      assert.deepEqual(sessionOf(running).awsSecrets[0]?.allowedHosts, [
        "s3.eu-central-1.amazonaws.com",
      ]);
      assert.deepEqual(
        sessionOf(running).formerSecrets.map(({ name, value, token }) => [name, value, token]),
        [
          ["AWS", credentials.accessKeyId, tokens[0]],
          ["AWS", credentials.secretAccessKey, tokens[1]],
        ],
      );
    });

    test("a revocation reaches every token; setting it again gives the tokens their values", async () => {
      const id = await store("revoked");
      await set(id, "AWS", credentials);
      const running = await sandbox({ secretStore: "revoked" });
      const tokens = tokensOf(running);
      await call("POST", `/api/secret-stores/${id}/secrets/AWS/revoke`);
      const session = sessionOf(running);
      assert.deepEqual(session.awsSecrets, []);
      assert.deepEqual(
        session.revokedSecrets,
        tokens.map((token) => ({ name: "AWS", token })),
      );
      assert.deepEqual(
        session.formerSecrets.map(({ value }) => value),
        Object.values(credentials),
      );
      await set(id, "AWS", temporary);
      assert.deepEqual([valuesOf(running), tokensOf(running)], [Object.values(temporary), tokens]);
    });

    test("hibernation and forks keep the tokens; a fork's store gives them its values", async () => {
      const id = await store("parent");
      await set(id, "AWS", credentials);
      await set(await store("child"), "AWS", temporary);
      const parent = await sandbox({ secretStore: "parent" });
      const tokens = tokensOf(parent);
      const path = `/api/sandboxes/${parent}/checkpoints`;
      const checkpoint = (await call("POST", path, { body: { name: "c" } })).json.id;
      await eventually(async () => {
        const [row] = (await call("GET", path)).json;
        return row.status === "ready";
      }, "the checkpoint is ready");
      const fork = async (body: object) => {
        const forkPath = `/api/sandboxes/from-checkpoint/${checkpoint}`;
        return (await call("POST", forkPath, { body })).json.sandboxID as string;
      };
      const [same, layered] = [await fork({}), await fork({ secretStore: "child" })];
      assert.deepEqual(valuesOf(same), [...Object.values(credentials), null]);
      assert.deepEqual(valuesOf(layered), Object.values(temporary));
      for (const one of [same, layered]) {
        assert.deepEqual([tokensOf(one), Object.values(envsOf(one))], [tokens, tokens]);
      }
      await call("POST", `/api/sandboxes/${parent}/hibernate`);
      await call("POST", `/api/sandboxes/${parent}/wake`, { body: {} });
      assert.deepEqual([tokensOf(parent), Object.values(envsOf(parent))], [tokens, tokens]);
    });

    test("the caller's own variables replace all of them, or none", async () => {
      const id = await store("hidden");
      await set(id, "AWS", credentials);
      await call("PUT", `/api/secret-stores/${id}/secrets/KEY`, { body: { value: "a" } });
      const envs = { AWS_ACCESS_KEY_ID: "own", AWS_SECRET_ACCESS_KEY: "own" };
      const created = await sandbox({ secretStore: "hidden", envs });
      assert.deepEqual(sessionOf(created).awsSecrets, []);
      assert.deepEqual(Object.keys(envsOf(created)).sort(), [...Object.keys(envs), "KEY"].sort());
    });

    test("the kind of a secret cannot change, and copies of a deleted one of another kind stay", async () => {
      const id = await store("kinds");
      await call("PUT", `/api/secret-stores/${id}/secrets/AWS`, { body: { value: "text" } });
      const earlier = await sandbox({ secretStore: "kinds" });
      const refused = await set(id, "AWS", credentials);
      assert.deepEqual([refused.status, refused.json.code], [409, "name_in_use"]);
      await call("DELETE", `/api/secret-stores/${id}/secrets/AWS`);
      assert.equal((await set(id, "AWS", credentials)).status, 200);
      assert.deepEqual(
        sessionOf(earlier).secrets.map(({ value }) => value),
        ["text"],
      );
      assert.deepEqual(valuesOf(await sandbox({ secretStore: "kinds" })), [
        ...[...Object.values(credentials), null],
      ]);
    });

    const refusals: [string, string, object, RegExp][] = [
      ["AWS", "without a secret key", { secretAccessKey: undefined }, /secretAccessKey.*nothing/],
      ["AWS", "with a space", { secretAccessKey: "with space" }, /secretAccessKey.*visible ASCII/],
      ["AWS", "with a line break", { sessionToken: "a\nb" }, /sessionToken.*visible ASCII/],
      ["AWS", "with a slash in its key id", { accessKeyId: "AKIA/x" }, /accessKeyId.*no slash/],
      ["AWS", "with a long key id", { accessKeyId: "A".repeat(257) }, /at most 256/],
      ["AWS", "with a long session token", { sessionToken: "t".repeat(8193) }, /at most 8192/],
      ["AWS", "of an unknown kind", { kind: "gcp" }, /kind: must be "value" or "aws"/],
      ["LD", "with a reserved variable", {}, /LD_ACCESS_KEY_ID is reserved/],
    ];
    for (const [name, what, changes, message] of refusals) {
      test(`one ${what} is refused, without its values`, async () => {
        const id = await store(what);
        const { status, json, text } = await set(id, name, { ...credentials, ...changes });
        assert.equal(status, 400);
        assert.match(json.error, message);
        assert.doesNotMatch(text, /AKIA|q7Z2|with space/);
        assert.deepEqual(await list(id), []);
      });
    }
  });
}
