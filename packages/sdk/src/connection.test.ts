import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { resolveConnection } from "./connection.ts";
import { Sandbox } from "./sandbox/sandbox.ts";

const apiKey = `osb_${"0".repeat(64)}`;

describe("resolveConnection", () => {
  const before = { ...process.env };
  afterEach(() => {
    process.env = { ...before };
  });

  test("adds /api to the URL unless it has it, after trimming slashes", () => {
    for (const [given, expected] of [
      ["http://host:1", "http://host:1/api"],
      ["http://host:1///", "http://host:1/api"],
      ["http://host:1/api", "http://host:1/api"],
      ["http://host:1/api/", "http://host:1/api"],
      ["https://host/prefix", "https://host/prefix/api"],
    ]) {
      assert.equal(resolveConnection({ apiKey, apiUrl: given }).baseUrl, expected);
    }
  });

  test("takes options before the environment, and the environment before the default", () => {
    delete process.env["OPENCOMPUTER_API_URL"];
    assert.equal(resolveConnection({ apiKey }).baseUrl, "http://127.0.0.1:8080/api");
    process.env["OPENCOMPUTER_API_URL"] = "http://from-environment";
    process.env["OPENCOMPUTER_API_KEY"] = "osb_from_environment";
    assert.equal(resolveConnection({}).baseUrl, "http://from-environment/api");
    assert.equal(resolveConnection({}).apiKey, "osb_from_environment");
    const given = resolveConnection({ apiKey, apiUrl: "http://from-option" });
    assert.deepEqual([given.apiKey, given.baseUrl], [apiKey, "http://from-option/api"]);
  });

  test("refuses a missing key before any request", async () => {
    delete process.env["OPENCOMPUTER_API_KEY"];
    let requests = 0;
    const fetch = async () => {
      requests += 1;
      return new Response();
    };
    await assert.rejects(Sandbox.create({ fetch }), {
      name: "OpenComputerError",
      code: "missing_api_key",
      message: /OPENCOMPUTER_API_KEY/,
    });
    assert.equal(requests, 0);
  });

  test("refuses a key that no header can carry, without showing it", () => {
    assert.throws(
      () => resolveConnection({ apiKey: "osb_first\nsecond" }),
      (error: Error) => {
        assert.match(error.message, /osb_ and 64 hexadecimal digits/);
        assert.doesNotMatch(error.message, /first|second/);
        return true;
      },
    );
    assert.equal(resolveConnection({ apiKey: ` ${apiKey}\n` }).apiKey, apiKey);
  });

  test("refuses invalid URLs, and those that carry more than an address", () => {
    for (const apiUrl of [
      "127.0.0.1:8080",
      "ftp://host",
      "http://user:password@host",
      "http://host/?query",
      "http://host/#fragment",
    ]) {
      assert.throws(() => resolveConnection({ apiKey, apiUrl }), { code: "invalid_api_url" });
    }
  });
});
