import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { WebSocket as PageWebSocket } from "undici";
import * as sdk from "./index.ts";
import { everyMethod } from "./testing/every-method.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

/** What a page has and the SDK may use; nothing of Node's own. */
const webGlobals = {
  ...{ fetch, URL, URLSearchParams, AbortController, AbortSignal, Blob, ReadableStream, Response },
  ...{ WebSocket: PageWebSocket, setInterval, clearInterval },
  ...{ TextEncoder, TextDecoder, setTimeout, clearTimeout, crypto, Uint8Array, ArrayBuffer },
};

/** Bundles a module of this folder as pages get it, with its exports in `sdk`. */
const bundle = (contents: string) =>
  build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    conditions: ["source"],
    format: "iife",
    globalName: "sdk",
    logLevel: "silent",
  });

describe("the bundle for browsers", () => {
  let server: ContractServer;
  let code: string;
  let inputs: string[];
  before(async () => {
    server = await startContractServer();
    const bundled = await bundle('export * from "./index.ts"');
    code = bundled.outputFiles[0]?.text ?? "";
    inputs = Object.keys(bundled.metafile.inputs);
  });
  after(() => server.close());

  test("holds the whole of the SDK, and nothing of Node", () => {
    for (const name of Object.keys(sdk)) assert.match(code, new RegExp(`\\b${name}\\b`));
    assert.doesNotMatch(code, /require\(|["']node:|process\.env/);
    assert.ok(inputs.some((path) => path.endsWith("platform/web.ts")));
    const ofNode = inputs.filter((path) => /platform\/node|\/undici\/|\/ws\//.test(path));
    assert.deepEqual(ofNode, []);
  });

  test("has every method of the SDK work where only the web's globals are", async () => {
    const bundled = await bundle(
      'export { everyMethod } from "./testing/every-method.ts"; export * from "./index.ts"',
    );
    const page = createContext({ ...webGlobals, apiUrl: server.url, apiKey: server.apiKey });
    runInContext(bundled.outputFiles[0]?.text ?? "", page);
    const called: unknown = await runInContext(
      `(async () => {
        const world = { connection: { apiUrl, apiKey } };
        for (const call of Object.values(sdk.everyMethod)) await call(world);
        return Object.keys(sdk.everyMethod).join();
      })()`,
      page,
    );
    assert.equal(called, Object.keys(everyMethod).join());
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
        const session = await sandbox.exec.start("read -r line; echo got $line; exit 3", {
          onStdout: (data) => { parts.push("|" + new TextDecoder().decode(data)); },
        });
        await session.sendStdin("input\\n");
        parts.push(String(await session.wait()));
        await sandbox.kill();
        return parts.join("") + "|" + result.stdout;
      })()`,
      page,
    );
    assert.equal(output, "from a page|got input\n3|done\n");
  });

  test("describes images, and names what a browser cannot do with them", () => {
    const page = createContext({ ...webGlobals, btoa });
    runInContext(code, page);
    const refused = (call: string): unknown =>
      runInContext(
        `(() => { try { ${call} } catch (e) { return e.code + ": " + e.message } })()`,
        page,
      );
    const image = "sdk.Image.base().addFile('/f', 'é')";
    assert.equal(runInContext(`${image}.toJSON().steps[0].args.content`, page), "w6k=");
    for (const call of ["addLocalFile('f', '/f')", "addLocalDir('d', '/d')", "cacheKey()"]) {
      assert.match(String(refused(`${image}.${call}`)), /^invalid_request: A browser cannot /);
    }
  });

  test("reports a missing key, as a browser has no environment", async () => {
    const page = createContext({ ...webGlobals, apiUrl: server.url });
    runInContext(code, page);
    const failure: unknown = await runInContext(
      "sdk.SecretStore.list({ apiUrl }).catch((error) => error.code)",
      page,
    );
    assert.equal(failure, "missing_api_key");
  });
});
