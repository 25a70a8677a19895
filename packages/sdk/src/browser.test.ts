import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

/** What a page has and the SDK may use; nothing of Node's own. */
const webGlobals = {
  ...{ fetch, URL, URLSearchParams, AbortController, AbortSignal, Blob, ReadableStream },
  ...{ TextEncoder, TextDecoder, setTimeout, clearTimeout, Uint8Array, ArrayBuffer },
};

describe("the bundle for browsers", () => {
  let server: ContractServer;
  let code: string;
  before(async () => {
    server = await startContractServer();
    const bundled = await build({
      entryPoints: [fileURLToPath(new URL("index.ts", import.meta.url))],
      bundle: true,
      write: false,
      platform: "browser",
      conditions: ["source"],
      format: "iife",
      globalName: "sdk",
      logLevel: "silent",
    });
    code = bundled.outputFiles[0]?.text ?? "";
  });
  after(() => server.close());

  test("holds nothing of Node", () => {
    assert.doesNotMatch(code, /require\(|["']node:|process\.env|undici/);
    assert.match(code, /SecretStore/);
  });

  test("runs where only the web's globals are", async () => {
    const page = createContext({ ...webGlobals, apiUrl: server.url, apiKey: server.apiKey });
    runInContext(code, page);
    const output: unknown = await runInContext(
      `(async () => {
        const sandbox = await sdk.Sandbox.create({ apiUrl, apiKey });
        await sandbox.files.write("note", "from a page");
        const stream = await sandbox.files.readStream("note");
        const parts = [];
        for await (const part of stream) parts.push(new TextDecoder().decode(part));
        const result = await sandbox.exec.run("echo done");
        await sandbox.kill();
        return parts.join("") + "|" + result.stdout;
      })()`,
      page,
    );
    assert.equal(output, "from a page|done\n");
  });

  test("without a key says so, as there is no environment to take it from", async () => {
    const page = createContext({ ...webGlobals, apiUrl: server.url });
    runInContext(code, page);
    const failure: unknown = await runInContext(
      "sdk.SecretStore.list({ apiUrl }).catch((error) => error.code)",
      page,
    );
    assert.equal(failure, "missing_api_key");
  });
});
