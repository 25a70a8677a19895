import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { test } from "node:test";
import { measureUpload } from "../measure-upload.ts";
import { seededBytes } from "../seeded-random.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const megabyte = 1024 * 1024;

export function describeFiles(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("files", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async () => (await call("POST", "/api/sandboxes")).json.sandboxID as string;
    const octetStream = { "content-type": "application/octet-stream" };

    test("bytes of any content type go in and come out unchanged", async () => {
      const path = `/api/sandboxes/${await create()}/files?path=/workspace/a%20b%3F.bin`;
      const types = ["application/octet-stream", "application/json", "text/plain", "odd/type"];
      for (const [index, type] of types.entries()) {
        const rawBody = seededBytes(`file ${index}`, 3000);
        const headers = { "content-type": type };
        assert.equal((await call("PUT", path, { rawBody, headers })).status, 204);
        const response = await fetch(installation().url() + path, {
          headers: { "x-api-key": installation().apiKey },
        });
        assert.equal(response.headers.get("content-type"), "application/octet-stream");
        assert.equal(response.headers.get("content-length"), "3000");
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), rawBody);
      }
    });

    test("an empty body makes an empty file", async () => {
      const id = await create();
      const path = `/api/sandboxes/${id}/files?path=/empty`;
      assert.equal((await call("PUT", path)).status, 204);
      assert.equal(installation().worker.machines.get(id)?.files.get("/empty")?.length, 0);
    });

    test("list, mkdir and delete; an absent file is 404", async () => {
      const path = `/api/sandboxes/${await create()}/files`;
      await call("PUT", `${path}?path=/f`, { rawBody: "abc", headers: octetStream });
      assert.deepEqual((await call("GET", `${path}/list?path=/`)).json, [
        { name: "f", path: "/f", isDir: false, size: 3 },
      ]);
      assert.equal((await call("POST", `${path}/mkdir?path=/d`)).status, 204);
      const json = { headers: { "content-type": "application/json" } };
      assert.equal((await call("POST", `${path}/mkdir?path=/d`, json)).status, 204);
      assert.equal((await call("DELETE", `${path}?path=/f`)).status, 204);
      for (const method of ["GET", "DELETE"]) {
        const result = await call(method, `${path}?path=/f`);
        assert.deepEqual([result.status, result.json.code], [404, "file_not_found"]);
      }
    });

    test("a path that is absent, empty, with NUL or too long is 400", async () => {
      const path = `/api/sandboxes/${await create()}/files`;
      for (const query of ["", "?path=", "?path=%00", `?path=${"a".repeat(4097)}`]) {
        for (const method of ["GET", "PUT", "DELETE"]) {
          const result = await call(method, path + query);
          assert.deepEqual([result.status, result.json.code], [400, "invalid_request"]);
          assert.match(result.json.error, /^path: /);
        }
      }
    });

    test("256 MiB without a length go through in bounded memory", async () => {
      const id = await create();
      const bytes = 256 * megabyte;
      const { status, grownBytes } = await measureUpload(
        `${installation().url()}/api/sandboxes/${id}/files?path=/swallow/big`,
        { method: "PUT", headers: { "x-api-key": installation().apiKey, ...octetStream } },
        bytes,
      );
      assert.equal(status, 204);
      assert.equal(installation().worker.swallowed.get("/swallow/big"), bytes);
      const grown = `memory grew by ${Math.round(grownBytes / megabyte)} MiB`;
      assert.ok(grownBytes < 128 * megabyte, grown);
    });

    test("an upload that breaks off is not taken for a whole file", async () => {
      const id = await create();
      await new Promise<void>((resolve) => {
        const request = httpRequest(
          `${installation().url()}/api/sandboxes/${id}/files?path=/broken`,
          {
            method: "PUT",
            headers: {
              "x-api-key": installation().apiKey,
              "content-length": String(10 * megabyte),
              ...octetStream,
            },
          },
        );
        request.on("error", () => resolve());
        request.write(Buffer.alloc(megabyte), () => request.destroy(new Error("gone")));
      });
      assert.equal((await call("GET", `/api/sandboxes/${id}/files?path=/broken`)).status, 404);
    });
  });
}
