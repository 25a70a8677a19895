// @ts-check
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rolldown } from "rolldown";
import { sdkCode } from "./bundle-sdk.mjs";

/** Bytes of all files of a bundle together, before a program that uses it minifies them. */
const bundleBytesMax = 190_000;

describe("the bundled SDK", () => {
  for (const [name, inputOptions] of Object.entries(sdkCode)) {
    test(`for ${name} contains the public entry point of protocol and nothing of the internal one`, async () => {
      const bundle = await rolldown(inputOptions(["undici", "ws", "zod"]));
      const { output } = await bundle.generate({ format: "es" });
      await bundle.close();
      const chunks = output.filter((file) => file.type === "chunk");
      const protocolModules = chunks
        .flatMap(({ moduleIds }) => moduleIds)
        .flatMap((id) => /[\\/]protocol[\\/]src[\\/](?<path>.*)$/.exec(id)?.groups?.["path"] ?? []);

      assert.ok(protocolModules.includes("api/errors.ts"), protocolModules.join(", "));
      assert.deepEqual(
        protocolModules.filter((path) => !/^api[\\/]/.test(path)),
        [],
      );
      const bundleBytes = chunks.reduce((total, { code }) => total + Buffer.byteLength(code), 0);
      assert.ok(
        bundleBytes <= bundleBytesMax,
        `The bundle has ${bundleBytes} bytes, more than ${bundleBytesMax}`,
      );
    });
  }
});
