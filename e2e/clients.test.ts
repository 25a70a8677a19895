import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Handler, type Scenario, startSharedScenario } from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";
import { createGitServer, type GitServer } from "./git-server.ts";

const host = "api.example.test";
const gitHost = "git.example.test";
/** More than a connection, and what relays it, holds. */
const largeBytes = 8 * 1024 * 1024;
const key = "canary/41c0d9e7+b3a86f52&7d1c=e90b";

describe("real clients inside a sandbox use a secret", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  let git: GitServer;

  before(async () => {
    git = await createGitServer({ user: "bot", password: key });
    scenario = await startSharedScenario({ hosts: [host, gitHost], handler: respondWith(git) });
    const store = await scenario.createStore({
      egressAllowlist: [host, gitHost],
      secrets: { API_KEY: key },
    });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
  });
  after(async () => {
    await git.close();
    assert.deepEqual(await scenario.end(), []);
  });

  const run = async (script: string) => {
    const result = await sandbox.exec.run(script, { timeout: 120 });
    assert.equal(result.exitCode, 0, `${result.stdout}\n${result.stderr}`);
    return result.stdout;
  };
  const last = () => scenario.internet.requestsTo(host).at(-1);

  test("curl with Basic credentials", async () => {
    await run(`curl -sS -u "user:$API_KEY" https://${host}/`);
    const expected = `Basic ${Buffer.from(`user:${key}`).toString("base64")}`;
    assert.equal(last()?.headers["authorization"], expected);
  });

  test("curl with a body that waits for 100 Continue", async () => {
    await run(
      `curl -sS -H 'Expect: 100-continue' --data-raw "k=$API_KEY" -H 'content-type: text/plain' https://${host}/`,
    );
    assert.equal(last()?.body, `k=${key}`);
    assert.equal(last()?.headers["content-length"], String(`k=${key}`.length));
  });

  test("curl with a chunked body whose token is anywhere in it", async () => {
    await run(
      `(head -c 3000000 /dev/zero | tr '\\0' a; printf %s "$API_KEY"; head -c 100000 /dev/zero | tr '\\0' b) |
        curl -sS -T - -H 'content-type: application/octet-stream' https://${host}/`,
    );
    assert.equal(last()?.bodyBytes, 3_000_000 + key.length + 100_000);
    assert.ok(last()?.body.includes(`a${key}b`));
  });

  test("curl HEAD, and one connection for several requests", async () => {
    const output = await run(
      `curl -sS -I https://${host}/ && curl -sS -o /dev/null -o /dev/null -w '%{num_connects}\\n' https://${host}/a https://${host}/b`,
    );
    assert.match(output, /^HTTP\/1\.1 200/);
    assert.match(output, /1\n0\n$/);
  });

  test("python3 with urllib", async () => {
    await run(`python3 - <<'END'
import os, urllib.request
request = urllib.request.Request("https://${host}/py", data=b"x", headers={"x-api-key": os.environ["API_KEY"]})
assert urllib.request.urlopen(request).status == 200
END`);
    assert.equal(last()?.headers["x-api-key"], key);
  });

  test("node with fetch", async () => {
    await run(
      `node -e 'fetch("https://${host}/node", { headers: { "x-api-key": process.env.API_KEY } }).then((r) => process.exit(r.ok ? 0 : 1))'`,
    );
    assert.equal(last()?.headers["x-api-key"], key);
  });

  test("openssl s_client connects to a host whose certificate has its own name", async () => {
    const output = await run(
      `printf 'GET /raw HTTP/1.1\\r\\nHost: ${host}\\r\\nx-api-key: %s\\r\\nConnection: close\\r\\n\\r\\n' "$API_KEY" |
        openssl s_client -quiet -verify_return_error -verify_hostname ${host} -servername ${host} -connect ${host}:443 -ign_eof 2>&1`,
    );
    assert.match(output, /HTTP\/1\.1 200/);
    assert.equal(last()?.headers["x-api-key"], key);
  });

  test("git clones and pushes with the token as its password", async () => {
    await run(
      `rm -rf work && git clone -q "https://bot:$API_KEY@${gitHost}/repository.git" work && cd work &&
        git config user.email a@example.test && git config user.name a &&
        head -c 3000000 /dev/urandom > blob && git add blob && git commit -qm blob && git push -q origin HEAD`,
    );
    assert.match(await git.log(), /blob/);
  });

  test("git with another password is refused", async () => {
    const result = await sandbox.exec.run(
      `GIT_TERMINAL_PROMPT=0 git clone -q "https://bot:wrong@${gitHost}/repository.git" other`,
    );
    assert.notEqual(result.exitCode, 0);
  });

  test("events arrive as they are sent, not when the response ends", async () => {
    const output = await run(`python3 - <<'END'
import time, urllib.request
response = urllib.request.urlopen("https://${host}/events")
first = response.readline()
print(first.decode().strip(), flush=True)
urllib.request.urlopen("https://${host}/release").read()
print(response.readline().decode().strip())
END`);
    assert.equal(output, "first\nsecond\n");
  });

  test("8 MiB are uploaded and downloaded unchanged (full run)", async () => {
    const output = await run(
      `head -c ${largeBytes} /dev/urandom > up && curl -sS -T up https://${host}/digest && sha256sum up &&
        curl -sS https://${host}/download | sha256sum`,
    );
    const [received, sent, downloaded] = output.split("\n").map((line) => line.split(" ")[0]);
    assert.equal(received, sent);
    assert.equal(
      downloaded,
      createHash("sha256").update(Buffer.alloc(largeBytes, "d")).digest("hex"),
    );
  });
});

function respondWith(git: GitServer): Handler {
  let release: (() => void) | undefined;
  return (request, response, body) => {
    if (request.headers.host === gitHost) return git.handle(request, response, body);
    if (request.url === "/events") {
      response.write("first\n");
      release = () => response.end("second\n");
      return;
    }
    if (request.url === "/release") release?.();
    if (request.url === "/digest") {
      response.end(`${createHash("sha256").update(body).digest("hex")}\n`);
      return;
    }
    if (request.url === "/download") {
      response.end(Buffer.alloc(largeBytes, "d"));
      return;
    }
    response.end("ok\n");
  };
}
