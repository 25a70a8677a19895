import assert from "node:assert/strict";
import { test } from "node:test";
import { defaults, limits, signedUrlSchema } from "@opencomputer/protocol/api";
import { mintSandboxId } from "../../sandboxes/identity/sandbox-identity.ts";
import { measureUpload } from "../measure-upload.ts";
import { seededBytes } from "../seeded-random.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const megabyte = 1024 * 1024;
type Kind = "download" | "upload";

export function describeSignedUrls(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("signed URLs", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async () => (await call("POST", "/api/sandboxes")).json.sandboxID as string;
    const sign = async (id: string, kind: Kind, body: unknown) =>
      call("POST", `/api/sandboxes/${id}/files/${kind}-url`, { body });
    const urlFor = async (id: string, kind: Kind, path: string) =>
      new URL((await sign(id, kind, { path })).json.url);
    /** Without any key, as anyone who has the URL does. */
    const use = async (method: string, url: URL, rawBody?: Uint8Array) =>
      call(method, url.pathname + url.search, {
        key: null,
        ...(rawBody === undefined ? {} : { rawBody }),
      });
    const denial = async (method: string, url: URL) => {
      const { status, json } = await use(method, url);
      return [status, json?.error, json?.code];
    };
    const invalid = [403, "invalid signature", "invalid_signature"];
    const expired = [403, "signed URL expired", "signed_url_expired"];
    const changed = (url: URL, name: string, value: string | null) => {
      const copy = new URL(url);
      if (value === null) copy.searchParams.delete(name);
      else copy.searchParams.set(name, value);
      return copy;
    };

    test("what is uploaded by one comes down by the other, without a key", async () => {
      const id = await create();
      const path = "/workspace/größe 1 & 2 (#?).bin";
      const content = seededBytes("signed", 3000);
      const upload = await urlFor(id, "upload", path);
      assert.equal(upload.origin, installation().url());
      assert.equal((await use("PUT", upload, content)).status, 204);
      assert.deepEqual(installation().worker.machines.get(id)?.files.get(path), content);
      const response = await fetch(await urlFor(id, "download", path));
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
      assert.equal(response.headers.get("content-length"), "3000");
      assert.equal(
        response.headers.get("content-disposition"),
        "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201%20%26%202%20%28%23%3F%29.bin",
      );
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), content);
    });

    test("expiresAt is an hour ahead, or what is asked for", async () => {
      const id = await create();
      for (const [expiresIn, seconds] of [
        [undefined, defaults.signedUrlSeconds],
        [null, defaults.signedUrlSeconds],
        [1, 1],
        [limits.signedUrlSecondsMax, limits.signedUrlSecondsMax],
      ] as const) {
        const before = Date.now();
        const result = await sign(id, "download", { path: "/f", expiresIn });
        assert.equal(result.status, 200);
        const { url, expiresAt } = signedUrlSchema.strict().parse(result.json);
        const lead = Date.parse(expiresAt) - before;
        assert.ok(lead >= seconds * 1000 && lead < seconds * 1000 + 30_000, `${lead} ms`);
        assert.equal(
          Number(new URL(url).searchParams.get("expires")) * 1000,
          Date.parse(expiresAt),
        );
      }
    });

    test("a bad path or time to live is 400", async () => {
      const id = await create();
      for (const body of [
        {},
        { path: "" },
        { path: "/a\0" },
        { path: "/\ud800" },
        { path: `/${"a".repeat(limits.pathBytesMax)}` },
        { path: "/f", expiresIn: 0 },
        { path: "/f", expiresIn: -1 },
        { path: "/f", expiresIn: 1.5 },
        { path: "/f", expiresIn: "60" },
        { path: "/f", expiresIn: limits.signedUrlSecondsMax + 1 },
      ]) {
        const result = await sign(id, "upload", body);
        assert.deepEqual([result.status, result.json.code], [400, "invalid_request"]);
      }
    });

    test("whatever is changed, left out or given twice, it opens nothing", async () => {
      const [id, other] = [await create(), await create()];
      installation().worker.machines.get(id)?.files.set("/f", Buffer.from("mine"));
      installation().worker.machines.get(other)?.files.set("/f", Buffer.from("other"));
      const url = await urlFor(id, "download", "/f");
      assert.equal((await use("GET", url)).text, "mine");
      const expires = Number(url.searchParams.get("expires"));
      const signature = url.searchParams.get("signature") ?? "";
      const org = "00000000-0000-4000-8000-000000000000";
      const tampered: [string, URL][] = [
        ["another path", changed(url, "path", "/etc/passwd")],
        ["the path written otherwise", changed(url, "path", "//f")],
        ["a later end", changed(url, "expires", String(expires + 1))],
        ["an earlier end", changed(url, "expires", String(expires - 1))],
        ["an end with a zero before it", changed(url, "expires", `0${expires + 1}`)],
        ["an end that is no number", changed(url, "expires", "1e12")],
        ["another org", changed(url, "org", org)],
        ["another signature", changed(url, "signature", "0".repeat(64))],
        ["a shorter signature", changed(url, "signature", signature.slice(0, -2))],
        ["another sandbox", new URL(url.href.replace(id, other))],
        ["a sandbox that does not exist", new URL(url.href.replace(id, mintSandboxId()))],
        ["a path given twice", new URL(`${url.href}&path=/g`)],
        ...["path", "expires", "org", "signature"].map((name): [string, URL] => [
          `no ${name}`,
          changed(url, name, null),
        ]),
      ];
      for (const [what, tamperedUrl] of tampered) {
        assert.deepEqual(await denial("GET", tamperedUrl), invalid, what);
      }
    });

    test("one method's URL does not open the other's route", async () => {
      const id = await create();
      installation().worker.machines.get(id)?.files.set("/f", Buffer.from("mine"));
      const download = await urlFor(id, "download", "/f");
      const asUpload = new URL(download.href.replace("/download?", "/upload?"));
      assert.deepEqual(await denial("PUT", asUpload), invalid);
      const upload = await urlFor(id, "upload", "/f");
      const asDownload = new URL(upload.href.replace("/upload?", "/download?"));
      assert.deepEqual(await denial("GET", asDownload), invalid);
      assert.equal(installation().worker.machines.get(id)?.files.get("/f")?.toString(), "mine");
    });

    test("once its time is over it is expired", async () => {
      const id = await create();
      const url = new URL((await sign(id, "download", { path: "/f", expiresIn: 1 })).json.url);
      const end = Number(url.searchParams.get("expires")) * 1000;
      await new Promise((resolve) => setTimeout(resolve, end - Date.now() + 5));
      assert.deepEqual(await denial("GET", url), expired);
      assert.deepEqual(await denial("GET", changed(url, "expires", "1")), expired);
    });

    test("neither an API key nor a sandbox token replaces a signature", async () => {
      const { sandboxID, token } = (await call("POST", "/api/sandboxes")).json;
      const path = `/api/sandboxes/${sandboxID}/files/download?path=/f`;
      for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
        const result = await call("GET", path, { headers });
        assert.deepEqual([result.status, result.json.code], [403, "invalid_signature"]);
      }
    });

    test("a sandbox token makes URLs of its sandbox, and of no other", async () => {
      const { sandboxID, token } = (await call("POST", "/api/sandboxes")).json;
      const options = {
        key: null,
        headers: { authorization: `Bearer ${token}` },
        body: { path: "/f" },
      };
      const ask = (id: string) => call("POST", `/api/sandboxes/${id}/files/upload-url`, options);
      assert.equal((await ask(sandboxID)).status, 200);
      assert.equal((await ask(await create())).status, 403);
    });

    test("it outlives a restart, and ends with its sandbox", async () => {
      const id = await create();
      installation().worker.machines.get(id)?.files.set("/f", Buffer.from("kept"));
      const url = await urlFor(id, "download", "/f");
      await installation().restart();
      assert.equal((await use("GET", url)).text, "kept");
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.equal((await use("GET", url)).json.code, "sandbox_not_running");
      assert.equal((await sign(id, "download", { path: "/f" })).json.code, "sandbox_not_running");
    });

    test("an absent file is 404, as on the route with a key", async () => {
      const result = await use("GET", await urlFor(await create(), "download", "/absent"));
      assert.deepEqual([result.status, result.json.code], [404, "file_not_found"]);
    });

    test("its use resets the idle timer", async () => {
      const id = await create();
      const url = await urlFor(id, "upload", "/f");
      const endOf = async () => Date.parse((await call("GET", `/api/sandboxes/${id}`)).json.endAt);
      const before = await endOf();
      await new Promise((resolve) => setTimeout(resolve, 10));
      await use("PUT", url, new Uint8Array(1));
      assert.ok((await endOf()) > before);
    });

    test("signatures are in no log line", async () => {
      const url = await urlFor(await create(), "download", "/absent");
      await use("GET", url);
      const lines = installation()
        .recorded()
        .split("\n")
        .filter((line) => line.includes("files/download"));
      assert.ok(lines.some((line) => line.includes('"route":"/api/sandboxes/:id/files/download"')));
      const signature = url.searchParams.get("signature") ?? "none";
      const logged = lines.filter((line) => line.includes('"msg":"request"'));
      assert.ok(!logged.join("\n").includes(signature));
    });

    test("128 MiB without a length go up in bounded memory", async () => {
      const url = await urlFor(await create(), "upload", "/swallow/signed");
      const bytes = 128 * megabyte;
      const { status, grownBytes } = await measureUpload(url.toString(), { method: "PUT" }, bytes);
      assert.equal(status, 204);
      assert.equal(installation().worker.swallowed.get("/swallow/signed"), bytes);
      const grown = `memory grew by ${Math.round(grownBytes / megabyte)} MiB`;
      assert.ok(grownBytes < 96 * megabyte, grown);
    });
  });
}
