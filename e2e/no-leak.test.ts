import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  readAuditLines,
  type Scenario,
  searchDirectory,
  startScenario,
} from "@opencomputer/harness";
import { limits } from "@opencomputer/protocol/api";
import { EgressLog, Project, type Sandbox, SecretStore } from "@opencomputer/sdk";
import { type DocumentedApi, readDocumentedApi } from "./documented-api.ts";
import { callEveryMethod, describeSurface, type Exchanges, type Send } from "./surface.ts";

const host = "api.example.test";
/** Each form of it, as text, in a URL, in JSON, is another one. */
const canary = 'sk-canary/e7a1 f3"b05d+c9a184e6b72f';
/** AWS credentials: no part of them leaves the service, the access key id neither. */
const awsCanary = {
  accessKeyId: "AKIAX4R3C5N2J6Y7VB4D",
  secretAccessKey: "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",
  sessionToken: "FwoGcanary+of/aws+session/E0aWiOkMzXcVbNmQ==",
};
const values = [canary, ...Object.values(awsCanary)];
const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));

/** Bodies that are wrong in themselves, each with the value in it. */
const wrongBodies: Record<string, string> = {
  "no JSON": `{"value": "${canary}`,
  "JSON that ends too early": `{"value": ${JSON.stringify(canary)}`,
  "a string": JSON.stringify(canary),
  "a list": JSON.stringify([canary]),
  "a value of another type": JSON.stringify({ value: [canary], allowedHosts: 1 }),
  "a value in an object": JSON.stringify({ value: { text: canary } }),
  "a value that is too long": JSON.stringify({
    value: canary.padEnd(limits.secretValueBytesMax + 1, "x"),
  }),
  "AWS credentials with a part of another type": JSON.stringify({
    ...{ kind: "aws", ...awsCanary },
    sessionToken: [awsCanary.sessionToken],
  }),
  "AWS credentials with a space": JSON.stringify({
    ...{ kind: "aws", ...awsCanary },
    secretAccessKey: `${awsCanary.secretAccessKey} `,
  }),
  "AWS credentials with a comma": JSON.stringify({
    ...{ kind: "aws", ...awsCanary },
    accessKeyId: `${awsCanary.accessKeyId},`,
  }),
  "AWS credentials and a value": JSON.stringify({ kind: "value", ...awsCanary }),
  "a body that is too long": JSON.stringify({ value: canary.repeat(60_000) }),
};

/** What an event stream, which does not end by itself, has for a moment. */
async function beginningOf(stream: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const reader = stream.body?.getReader();
  const moment = setTimeout(() => void reader?.cancel(), 200);
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    parts.push(part.value);
  }
  clearTimeout(moment);
  return Buffer.concat(parts);
}

describe("a secret value is in nothing that the service writes or returns", () => {
  let scenario: Scenario;
  let api: DocumentedApi;
  let responses: string;
  let responseCount = 0;
  let store: { id: string; name: string };
  let project: { id: string; name: string };
  let sandbox: Sandbox;
  let exchanges: Exchanges;

  /** Keeps a response, head and body, where the search finds it. */
  const keep = async (name: string, content: string | Uint8Array) => {
    responseCount += 1;
    await writeFile(join(responses, `${responseCount} ${name.replaceAll("/", "_")}`), content);
  };
  const recordingFetch: Send = async (url, init) => {
    const response = await fetch(url, init);
    const head = `${response.status} ${JSON.stringify([...response.headers])}\n`;
    const isStream = response.headers.get("content-type") === "text/event-stream";
    const content = isStream
      ? await beginningOf(response.clone())
      : Buffer.from(await response.clone().arrayBuffer());
    await keep(init.method, Buffer.concat([Buffer.from(head), content]));
    return response;
  };
  /** For calls that set a value of their own: it becomes the value that is searched for. */
  const settingFetch: Send = async (url, init) => {
    const setsSecret = /\/secrets\//.test(url) && typeof init.body === "string";
    if (!setsSecret) return recordingFetch(url, init);
    const body = JSON.stringify({ ...JSON.parse(String(init.body)), value: canary });
    return recordingFetch(url, { ...init, body });
  };
  const call = async (method: string, path: string, headers: object = {}, body?: string) => {
    try {
      const response = await recordingFetch(scenario.connection.apiUrl + path, {
        method,
        headers: { "x-api-key": scenario.connection.apiKey, ...headers },
        redirect: "manual",
        ...(body === undefined ? {} : { body }),
      });
      return response.status;
    } catch (error) {
      // The server may refuse and close before it has the whole body: there is no response to search.
      if (error instanceof TypeError) return 0;
      throw error;
    }
  };
  const leaksIn = async (directory: string) => {
    const { leaks, bytesSearched } = await searchDirectory(directory, values);
    assert.ok(bytesSearched > 1000, `${directory} has something to search`);
    return leaks.map(({ place, form }) => `${form}: ${place}`);
  };

  before(async () => {
    responses = await mkdtemp(join(tmpdir(), "opencomputer-responses-"));
    scenario = await startScenario({
      hosts: [host],
      // An echo service: the values come back to the guest's request.
      handler: ({ headers }, response) =>
        response.end(
          `got ${headers["x-api-key"]} ${headers.authorization} ${headers["x-amz-security-token"]}\n`,
        ),
    });
    api = await readDocumentedApi(scenario.connection.apiUrl);
    store = await scenario.createStore({ egressAllowlist: [host], secrets: { API_KEY: canary } });
    await SecretStore.setSecret(store.id, "AWS", awsCanary, {
      ...scenario.connection,
      allowedHosts: [host],
    });
    project = await Project.create({ ...scenario.connection, name: "no-leak" });
    await Project.setSecret(project.id, "PROJECT_KEY", canary, scenario.connection);
    sandbox = await scenario.createSandbox({ secretStore: store.name, project: project.name });
  });
  after(async () => {
    await rm(responses, { recursive: true });
    assert.deepEqual(await scenario.end(), []);
  });

  test("it is used: the server gets the value, the guest its token", async () => {
    const { stdout } = await sandbox.exec.run(
      `curl -sS https://${host}/ -H "x-api-key: $API_KEY"; env`,
    );
    assert.equal(scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"], canary);
    await keep("exec", stdout);
  });

  test("AWS credentials are used: the server gets their signature, and the guest what it signed with", async () => {
    const { stdout } = await sandbox.exec.run(`curl -sS https://${host}/aws \
      --aws-sigv4 aws:amz:eu-central-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
      -H "x-amz-security-token: $AWS_SESSION_TOKEN"; env`);
    const received = scenario.internet.requestsTo(host).at(-1)?.headers ?? {};
    assert.ok(received["authorization"]?.includes(`Credential=${awsCanary.accessKeyId}/`));
    assert.equal(received["x-amz-security-token"], awsCanary.sessionToken);
    const [, accessKeyId] = /AWS_ACCESS_KEY_ID=(osb_sealed_\w+)/.exec(stdout) ?? [];
    assert.ok(accessKeyId && stdout.includes(`Credential=${accessKeyId}/`));
    await keep("exec", stdout);
  });

  test("every method of the SDK: no response has it", async () => {
    exchanges = await callEveryMethod(scenario.connection, sandbox, settingFetch);
    assert.deepEqual(await leaksIn(responses), []);
  });

  describeSurface(() => ({ api, exchanges, sandbox }));

  test("every documented operation, by who may not and with what it does not take: no response has it", async () => {
    const pathOf = (path: string, id: string) =>
      path
        .replace("/secrets/{name}", "/secrets/API_KEY")
        .replace(/\{(\w+)\}/g, encodeURIComponent(id));
    const ids = (path: string) =>
      path.includes("/secret-stores/") ? [store.id, "absent"] : ["absent"];
    const json = { "content-type": "application/json" };
    const right = JSON.stringify({ value: canary });
    const rightAws = JSON.stringify({ kind: "aws", ...awsCanary });
    const statuses = new Set<number>();
    for (const name of api.operationNames) {
      const [method = "", path = ""] = name.split(" ");
      for (const id of ids(path)) {
        const at = pathOf(path, id);
        statuses.add(await call(method, at, { "x-api-key": "" }));
        statuses.add(await call(method, at, { "x-api-key": canary }));
        statuses.add(
          await call(method, at, { "x-api-key": "", authorization: `Bearer ${canary}` }),
        );
        statuses.add(await call("PATCH", `${at}?value=${encodeURIComponent(canary)}`));
        if (method === "GET") statuses.add(await call(method, at));
        if (method !== "POST" && method !== "PUT" && method !== "PATCH") continue;
        for (const body of Object.values(wrongBodies)) {
          statuses.add(await call(method, at, json, body));
        }
        statuses.add(await call(method, at, { "content-type": "application/xml" }, right));
        statuses.add(await call(method, at, json, rightAws));
        statuses.add(await call(method, at, { "x-long": canary.repeat(1500) }));
      }
    }
    for (const status of [200, 400, 401, 403, 404, 413, 415, 431]) {
      assert.ok(statuses.has(status), `${status} was provoked`);
    }
    assert.deepEqual(await leaksIn(responses), []);
  });

  test("conflicts, refused names and refused hosts: no response has it", async () => {
    const json = { "content-type": "application/json" };
    const secrets = `/api/secret-stores/${store.id}/secrets`;
    const body = JSON.stringify({ value: canary });
    assert.equal(await call("PUT", `${secrets}/PATH`, json, body), 400);
    assert.equal(
      await call("PUT", `${secrets}/API_KEY`, json, JSON.stringify({ kind: "aws", ...awsCanary })),
      409,
    );
    const badHost = JSON.stringify({ value: canary, allowedHosts: ["*"] });
    assert.equal(await call("PUT", `${secrets}/API_KEY`, json, badHost), 400);
    const duplicate = JSON.stringify({ name: store.name, value: canary });
    assert.equal(await call("POST", "/api/secret-stores", json, duplicate), 409);
    await assert.rejects(Project.create({ ...scenario.connection, name: project.name }));
    assert.deepEqual(await leaksIn(responses), []);
  });

  test("oc --json for each object: no output has it", async () => {
    const id = sandbox.sandboxId;
    const { accessKeyId, secretAccessKey, sessionToken } = awsCanary;
    const printedByAws = JSON.stringify({
      ...{ Version: 1, AccessKeyId: accessKeyId },
      ...{ SecretAccessKey: secretAccessKey, SessionToken: sessionToken },
    });
    const lines: [string[], string?][] = [
      [["secret-store", "list"]],
      [["secret-store", "get", store.id]],
      [["secret-store", "update", store.id, "--name", "renamed"]],
      [["secret", "set", store.id, "API_KEY", "--from-stdin"], canary],
      [["secret", "set", store.id, "PATH", "--from-stdin"], canary],
      [["secret", "set", "absent", "API_KEY", "--from-stdin"], canary],
      [["secret", "set", store.id, "API_KEY", canary]],
      [["secret", "set", store.id, "AWS", "--kind", "aws", "--from-stdin"], printedByAws],
      [["secret", "set", store.id, "AWS", "--kind", "aws", "--from-stdin"], `${printedByAws},`],
      [["secret", "set", store.id, "API_KEY", "--kind", "aws", "--from-stdin"], printedByAws],
      [["secret", "list", store.id]],
      [["secret", "list", project.id]],
      [["project", "list"]],
      [["project", "get", project.id]],
      [["ls"]],
      [["get", id]],
      [["sandbox", "allowed-hosts", id]],
      [["egress", id]],
      [["egress", id, "--suggest"]],
      [["explain", id, `https://${canary}.example.com/`]],
      [["exec", id, "--", "env"]],
      [["exec", "list", id]],
      [["checkpoint", "list", id]],
      [["snapshot", "list"]],
      [["key", "list"]],
      [["config", "show"]],
    ];
    for (const [args, input] of lines) {
      const at = args.includes("--") ? args.indexOf("--") : args.length;
      await keep(`oc ${args[0]}`, await oc(args.toSpliced(at, 0, "--json"), input ?? ""));
    }
    assert.deepEqual(await leaksIn(responses), []);
  });

  test("no log, no database file, no disk and nothing else in the data directory has it", async () => {
    const { dataDirectory } = scenario.installation;
    assert.deepEqual(await leaksIn(dataDirectory), []);
    for (const value of values) assert.ok(!scenario.installation.output().includes(value));
    const secrets = await SecretStore.listSecrets(store.id, scenario.connection);
    assert.ok(secrets.length > 0, "the store still exists");
    const audited = await readAuditLines(dataDirectory, sandbox.sandboxId);
    assert.ok(audited.length > 0, "the search went through audit lines of the sandbox");
    const { entries } = await new EgressLog(sandbox.sandboxId, scenario.connection).list();
    assert.ok(entries.length > 0, "the search went through its egress log in the database");
  });

  test("the search finds a value that was placed", async () => {
    const { dataDirectory } = scenario.installation;
    const [, ...awsValues] = values;
    for (const [directory, content] of [
      ...awsValues.map((value) => [responses, `{"error":"found ${value}"}`] as const),
      [responses, JSON.stringify({ error: `found ${canary}` })],
      [join(dataDirectory, "logs"), `{"msg":"${Buffer.from(canary).toString("base64")}"}`],
      [join(dataDirectory, "postgresql"), Buffer.from(canary).toString("hex")],
    ] as const) {
      const place = join(directory, "planted");
      await writeFile(place, content);
      assert.equal((await leaksIn(directory)).length, 1);
      await rm(place);
    }
  });

  function oc(args: string[], input: string): Promise<string> {
    const { apiUrl, apiKey } = scenario.connection;
    return new Promise((resolve) => {
      const environment = {
        PATH: process.env["PATH"],
        HOME: responses,
        OPENCOMPUTER_API_URL: apiUrl,
        OPENCOMPUTER_API_KEY: apiKey,
      };
      const child = execFile(
        process.execPath,
        [program, ...args],
        { env: environment },
        (_error, stdout, stderr) => resolve(`${stdout}\n${stderr}`),
      );
      // It may end before it has read its input, as for arguments that it refuses.
      child.stdin?.on("error", () => child.stdin?.destroy());
      child.stdin?.end(input);
    });
  }
});
